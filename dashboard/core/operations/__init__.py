"""Operating an installation: heartbeat, deployment, backups, JSON schemas."""
