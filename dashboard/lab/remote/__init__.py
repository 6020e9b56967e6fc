"""Calls and wake-ups between web processes and labs."""
