"""The engine of a lab: its events, whether it answers, its restart, and the holders of its machine's ports."""
