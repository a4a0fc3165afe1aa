"""What people and programs read: rows, reports, messages."""
