"""Accounts: what the role of an account permits, the audit trail, and their pages."""
