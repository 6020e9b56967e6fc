"""Exports reports as one HTML file, PDF, JSON, CSV and Markdown."""
