"""The websocket of terminals, and the pages with recordings of terminals."""
