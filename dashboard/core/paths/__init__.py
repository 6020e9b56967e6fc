"""The paths on which requests travel from one network namespace to a server in another: found, requested and traced."""
