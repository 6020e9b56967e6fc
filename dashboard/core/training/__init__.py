"""Training sessions: joining, pacing, predictions, private hosts and their capacity."""
