"""Machines in namespaces of this machine. Each has an engine and a lab, and joins a team deployment over a LAN."""
