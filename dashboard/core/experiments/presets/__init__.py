"""The presets of the start page: prepared experiments, each with the row of the table that differs."""
