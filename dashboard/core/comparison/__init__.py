"""The comparison table: cells, rows, and the reason for each difference."""
