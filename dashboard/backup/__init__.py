"""Backups of an installation. A backup is one file with the database and, on request, the secret key."""
