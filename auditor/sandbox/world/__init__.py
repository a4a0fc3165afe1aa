"""The made-up partners, customers, catalog and restrictions, and how they change each night."""
