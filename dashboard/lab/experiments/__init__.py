"""Drives one experiment: launches its arms, observes them, and writes its journal."""
