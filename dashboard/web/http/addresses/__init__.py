"""The addresses and the host name at which browsers reach this installation."""
