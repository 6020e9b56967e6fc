"""What the templates need: thin filters and tags around pure functions."""
