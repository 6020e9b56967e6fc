"""The machines of an installation: their labels, and which machine gets which private host."""
