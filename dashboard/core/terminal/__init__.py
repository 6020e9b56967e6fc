"""The terminal in the browser: limits, frames and scrollback."""
