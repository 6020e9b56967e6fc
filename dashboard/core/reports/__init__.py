"""Saved reports: content, validation, summary, comparison, trend and replay."""
