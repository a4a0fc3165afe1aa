"""Keeps wrong answers out: asks again about mass changes, and verifies that all keys add up."""
