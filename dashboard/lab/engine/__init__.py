"""The engine of a lab: its events, whether it answers, its restart, and which processes hold the machine's ports."""
