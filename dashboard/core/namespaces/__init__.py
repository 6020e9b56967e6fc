"""What is observed of one network stack, and how it changes."""
