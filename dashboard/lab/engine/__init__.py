"""The engine of a lab: follows its events, checks whether it answers, starts it again, and finds which processes hold
ports."""
