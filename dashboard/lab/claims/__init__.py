"""Executes claims on a real engine."""
