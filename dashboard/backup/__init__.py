"""Backups: one file that holds the database, made and restored while others work."""
