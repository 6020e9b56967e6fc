"""The most important differences between the columns of a report, in sentences."""
