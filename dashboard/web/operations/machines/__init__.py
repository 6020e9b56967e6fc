"""Machines that have joined: their page, the request to join, and their access to NATS."""
