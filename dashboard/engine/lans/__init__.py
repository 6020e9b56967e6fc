"""LANs of private hosts."""
