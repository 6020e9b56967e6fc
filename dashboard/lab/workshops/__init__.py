"""Runs the steps of workshops on a host."""
