"""Queries for operating: retention, locks, calls between processes."""
