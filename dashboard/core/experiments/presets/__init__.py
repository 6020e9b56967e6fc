"""The presets of the start page: prepared experiments, each with the row of the table in which it shows a
difference."""
