"""Timed requests from one network namespace to another, by separate processes."""
