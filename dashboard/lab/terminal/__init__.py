"""Shells on private hosts for terminals in the browser."""
