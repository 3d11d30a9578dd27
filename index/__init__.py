"""Builds, stores and opens an index of procedure codes. Knows nothing of queries or HTTP."""
