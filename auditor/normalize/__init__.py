"""Turns replies into rows of the store, one for each checked key."""
