"""Experiments: validation, launch, lifecycle, journal and live stream."""
