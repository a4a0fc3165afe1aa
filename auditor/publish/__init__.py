"""A snapshot from staged rows to the store: compared, counted, published once."""
