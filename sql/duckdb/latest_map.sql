-- The latest map as the store keeps it: see the view latest_cell, which stands on it.
-- Grain:  one cell.      Reads:  the file that the variable latest_map_files names.
CREATE VIEW latest_map AS
SELECT *
FROM read_parquet(getvariable('latest_map_files'));
