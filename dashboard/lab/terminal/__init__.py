"""Shells on private hosts, which terminals in the browser use."""
