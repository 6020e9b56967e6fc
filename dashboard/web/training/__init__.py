"""Pages, API and websocket of training sessions."""
