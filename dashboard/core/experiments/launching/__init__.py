"""What a launch needs, and its progress."""
