"""Transports of HTTP to an engine, for requests."""
