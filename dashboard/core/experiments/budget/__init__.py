"""Keeps a journal within its budget: merges changes that come too fast or concern no column."""
