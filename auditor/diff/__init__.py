"""Compares new answers with the last known ones, in SQL on DuckDB."""
