"""The websocket of terminals, and the pages of their recordings."""
