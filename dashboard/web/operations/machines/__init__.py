"""Machines that have joined: their page, the request to join, their swarm, and their access to NATS."""
