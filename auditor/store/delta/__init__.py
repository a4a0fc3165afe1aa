"""Copies the relations of a store into Delta tables, for Fabric and Databricks."""
