"""The comparison: cells, rows, and the reason for each difference."""
