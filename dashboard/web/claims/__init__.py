"""Pages and API of claims, questions and misconceptions."""
