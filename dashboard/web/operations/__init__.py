"""Health, metrics, engine status, API documentation, other processes."""
