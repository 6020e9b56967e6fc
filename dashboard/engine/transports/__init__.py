"""Transports for HTTP to an engine, as adapters of ``requests``."""
