"""Answers the questions of a morning from a store: one module for each question."""
