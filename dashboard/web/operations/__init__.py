"""Health checks, metrics, engine status, documentation, and access to other processes and machines."""
