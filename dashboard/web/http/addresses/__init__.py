"""The addresses and the name under which browsers reach this installation."""
