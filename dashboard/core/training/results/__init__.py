"""The results of a training session."""
