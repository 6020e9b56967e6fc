"""The launcher behind ``./netmodes``: prepares what a command needs and runs it.

It runs before anything is installed, so it imports only the standard library. It also runs before each command, so
modules that take milliseconds to import (``subprocess``, ``socket``) are imported in the functions that use them.
"""
