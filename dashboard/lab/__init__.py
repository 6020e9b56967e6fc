"""The lab: drives experiments to their wanted state, records their journals, and publishes changes."""
