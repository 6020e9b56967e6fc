"""Firewall programs for private hosts."""
