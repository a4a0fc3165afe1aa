"""Signing in to Partner Center, and the secrets it takes."""
