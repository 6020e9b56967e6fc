"""Template filters and tags: thin wrappers around pure functions."""
