"""Queries for operations: retention, locks, calls between processes."""
