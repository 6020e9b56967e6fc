"""Queries for operations: retention, locks, accounts, wanted state."""
