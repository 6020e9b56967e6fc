"""Runs measurements."""
