"""Values and rules: no Django, no Docker, no clock, no sockets, no asyncio."""
