"""Faults that the server must survive, injected into the real thing."""
