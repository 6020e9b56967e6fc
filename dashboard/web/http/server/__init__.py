"""Protocols for uvicorn, the server: limits on connections, and shared frames for websockets."""
