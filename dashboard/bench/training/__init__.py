"""Benchmarks of training sessions."""
