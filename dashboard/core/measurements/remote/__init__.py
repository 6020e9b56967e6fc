"""Measurements whose client runs on another machine."""
