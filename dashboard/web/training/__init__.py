"""Pages, API and websockets of training sessions."""
