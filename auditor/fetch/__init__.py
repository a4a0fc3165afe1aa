"""Asking Partner Center what a plan says, and what its refusals teach."""
