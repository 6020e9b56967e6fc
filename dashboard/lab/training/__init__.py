"""Private hosts of the groups in training sessions."""
