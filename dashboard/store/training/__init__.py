"""Queries of training sessions."""
