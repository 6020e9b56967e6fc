"""Drives experiments to the wanted state, records their journals, and publishes changes."""
