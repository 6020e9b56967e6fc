"""Queries of saved reports."""
