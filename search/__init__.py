"""Answers queries from a snapshot. The only place that knows HTTP."""
