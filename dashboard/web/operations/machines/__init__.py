"""The machines that have joined the installation: their page, the request to join, their swarm, and access to NATS."""
