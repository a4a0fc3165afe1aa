"""The replies of the sandbox's endpoints."""
