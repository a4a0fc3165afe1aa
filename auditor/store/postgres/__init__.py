"""The store that is a PostgreSQL database."""
