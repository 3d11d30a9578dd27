"""Routes that only translate HTTP, one file per interface."""
