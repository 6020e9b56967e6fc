"""Benchmarks of deployments and pages."""
