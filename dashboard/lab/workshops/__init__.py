"""Runs and checks the steps of workshops on a host."""
