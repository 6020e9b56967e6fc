"""Measurements of latency: options, schedule, statistics, verdicts and charts. A run consists of rounds; in each round,
one block of every series is measured."""
