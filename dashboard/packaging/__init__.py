"""Builds the wheel and the sdist. This package is not installed."""
