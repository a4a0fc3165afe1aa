"""Signs in to Partner Center, and reads the secrets for it."""
