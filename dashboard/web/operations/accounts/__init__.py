"""Accounts: what each request may do, the audit trail, and the pages of both."""
