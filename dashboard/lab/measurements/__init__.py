"""Runs the measurements that users have requested."""
