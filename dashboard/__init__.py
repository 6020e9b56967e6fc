"""Netmodes: Docker's network modes side by side, read from the kernel and the Engine."""

__version__ = "0.1.0"
