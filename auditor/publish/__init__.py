"""Publishes a snapshot: staged rows are compared, counted and written to the store."""
