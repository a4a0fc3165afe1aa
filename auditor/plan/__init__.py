"""Plans the fewest calls that check a scope, and records the reason for the form of each call."""
