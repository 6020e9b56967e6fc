"""The comparison in sentences: what differs, what is the same, and which containers do not run."""
