"""How an installation is operated: roles, heartbeats, deployment, machines, storage, backups, JSON schemas."""
