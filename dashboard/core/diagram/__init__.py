"""The picture of where each container lives."""
