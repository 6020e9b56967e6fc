"""Anonymises a report: replaces the details of the machine on which it was made."""
