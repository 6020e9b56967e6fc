"""Exports reports: as one HTML file, PDF, tables and text."""
