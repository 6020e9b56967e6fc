"""HTTP, websockets, forms."""
