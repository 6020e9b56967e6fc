"""Terminals in the browser: their shells on private hosts."""
