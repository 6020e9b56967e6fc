"""The machines of an installation: which of them holds what."""
