"""Netmodes compares Docker's network modes side by side. Everything that it shows is read from the kernel and the
Engine."""

__version__ = "0.1.0"
