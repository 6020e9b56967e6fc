"""Backups: one file that holds the database and, on request, the secret key."""
