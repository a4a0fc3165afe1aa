"""Plans the fewest calls that check a scope, and records why each is made so."""
