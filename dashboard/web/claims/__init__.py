"""Pages and API of claims and misconceptions."""
