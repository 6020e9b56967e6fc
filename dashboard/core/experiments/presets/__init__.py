"""Prepared experiments of the start page, each with the row of the table in which it shows a difference."""
