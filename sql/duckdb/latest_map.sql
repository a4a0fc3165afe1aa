-- The latest map as the store keeps it. The view latest_cell reads it.
-- Grain: one cell.
-- Reads: the file named in the variable latest_map_files.
-- Only a DuckDB file over a folder needs this view (jobs/duckdb_views.py). A connection of ours
-- registers a table of this name.
CREATE VIEW latest_map AS
SELECT *
FROM read_parquet(getvariable('latest_map_files'));
