"""The asynchronous client of Partner Center's catalog and inventory API."""
