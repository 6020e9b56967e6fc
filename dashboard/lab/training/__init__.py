"""Private hosts of the groups of a training session."""
