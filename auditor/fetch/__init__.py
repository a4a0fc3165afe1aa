"""Sends the questions of a plan to Partner Center, and learns from its refusals."""
