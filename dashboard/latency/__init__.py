"""Timed requests from one network namespace to another, by processes of their own."""
