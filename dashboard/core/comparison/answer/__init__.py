"""The comparison in sentences: what differs, what is the same, and which arms do not run."""
