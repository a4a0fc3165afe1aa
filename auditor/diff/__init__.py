"""What changed: new answers against the last ones known, in SQL on DuckDB."""
