"""Measurements with a client on another machine."""
