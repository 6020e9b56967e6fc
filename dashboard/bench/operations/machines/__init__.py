"""Machines in namespaces of this one, each with an engine and a lab, that join a team deployment over a LAN."""
