"""The engine of a lab: its events, whether it answers, its restart, and who holds the ports of its machine."""
