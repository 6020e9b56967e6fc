"""Pages and API of saved reports."""
