"""Calls and notifications between web processes and the lab."""
