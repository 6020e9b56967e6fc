"""Queries for operations: retention, locks, accounts, what is wanted."""
