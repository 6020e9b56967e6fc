"""Benchmarks of measurements of latency."""
