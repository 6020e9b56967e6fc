"""The budget of a journal: limits, merged entries, and changes that concern no column."""
