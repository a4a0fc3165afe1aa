"""The made-up portfolio: customers, catalog, restrictions, and how they change by night."""
