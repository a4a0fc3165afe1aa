"""What keeps wrong answers out: mass changes are asked twice, and keys must add up."""
