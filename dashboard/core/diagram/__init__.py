"""Computes the diagram of network stacks and containers, and how paths are drawn in it."""
