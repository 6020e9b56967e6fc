"""Observations of one network stack, and their changes."""
