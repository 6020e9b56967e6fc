"""Machines that have joined: their page, how they join, and their access to NATS."""
