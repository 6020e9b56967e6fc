"""Watches a network namespace: links, addresses and routes by events, listeners by polling."""
