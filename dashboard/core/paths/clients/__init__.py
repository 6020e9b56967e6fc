"""Clients of paths outside the machine's network stack: on its LAN, and on other machines of the installation."""
