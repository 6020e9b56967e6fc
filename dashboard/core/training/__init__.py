"""Training sessions: joining, pacing, predictions, private hosts, capacity."""
