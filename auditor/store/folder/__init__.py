"""The store that is a folder of Parquet files."""
