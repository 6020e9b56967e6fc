"""The checks that a step of a workshop may use."""
