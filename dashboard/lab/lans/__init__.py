"""Named LANs of private hosts, as pages create and show them."""
