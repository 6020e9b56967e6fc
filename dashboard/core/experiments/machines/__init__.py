"""Experiments with arms on several machines: one part for each machine, and one merged journal."""
