-- The latest map as the store keeps it. The view latest_cell reads it.
-- Grain: one cell.
-- Reads: the file named in the variable latest_map_files.
-- Only a DuckDB file over a folder needs this view (jobs/duckdb_views.py). The auditor's own
-- connections have a table with this name instead.
CREATE VIEW latest_map AS
SELECT *
FROM read_parquet(getvariable('latest_map_files'));
