"""Faults that the server must survive, injected into a real server."""
