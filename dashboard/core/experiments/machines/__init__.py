"""Experiments with arms on several machines: their parts, and one journal of all."""
