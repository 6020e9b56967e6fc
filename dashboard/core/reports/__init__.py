"""Saved reports: content, validation, comparison, export."""
