"""Workshops: steps, commands, checks, progress and advice."""
