"""What a launch needs, and how far it is."""
