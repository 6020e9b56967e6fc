"""Drives experiments to the wanted state, records the journal, publishes."""
