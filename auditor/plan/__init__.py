"""The fewest calls that ask a scope, and why each is made as it is."""
