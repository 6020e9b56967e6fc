"""Pages, API and websocket of experiments."""
