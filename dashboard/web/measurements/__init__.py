"""Pages, API and websocket of measurements."""
