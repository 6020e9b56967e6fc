"""Faults that the server must survive. They are injected into a real server."""
