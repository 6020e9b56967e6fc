"""The protocols of uvicorn, the server: limits on connections, shared frames of websockets."""
