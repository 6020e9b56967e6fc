"""Everything that browsers and API clients use: HTTP, websockets and forms."""
