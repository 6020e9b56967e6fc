"""Measurements of latency: options, schedule, statistics, verdicts and charts."""
