"""Drives one experiment: arms, observation, journal."""
