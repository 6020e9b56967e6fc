"""Latency: options, schedule, statistics, verdicts, charts."""
