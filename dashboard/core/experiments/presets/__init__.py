"""The presets of the start page: prepared experiments, each with the row of the comparison in which its columns
differ."""
