"""The private hosts of groups in training sessions, and their labs."""
