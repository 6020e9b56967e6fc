"""The comparison of columns on several machines."""
