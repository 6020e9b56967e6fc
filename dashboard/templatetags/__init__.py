"""Template filters and tags, most of them thin wrappers around pure functions."""
