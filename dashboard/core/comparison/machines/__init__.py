"""The comparison of an experiment whose columns are on several machines."""
