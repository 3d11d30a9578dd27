"""The pages people use, rendered by the server from our own files."""
