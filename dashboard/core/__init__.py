"""Values and rules. This layer imports no Django, no Docker and no asyncio, reads no clock and opens no sockets."""
