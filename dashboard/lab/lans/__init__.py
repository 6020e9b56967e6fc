"""Named LANs of private hosts, which pages create and show."""
