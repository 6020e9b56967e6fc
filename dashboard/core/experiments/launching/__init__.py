"""The launch of an experiment: the ports that it needs, and its progress."""
