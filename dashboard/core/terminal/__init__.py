"""The terminal in the browser: limits, frames, scrollback."""
