"""Workshops: steps, commands, checks, progress, advice."""
