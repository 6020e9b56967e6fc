"""Protocol classes for the server uvicorn: connection limits, and websocket frames that many clients share."""
