"""The observed state of one network stack, and its changes."""
