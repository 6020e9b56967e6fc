"""The instructor's console of a training session: its pages and its commands."""
