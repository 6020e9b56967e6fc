"""What a journal may write: its budget, merged entries, changes that concern no column."""
