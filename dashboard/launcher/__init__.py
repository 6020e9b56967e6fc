"""The launcher behind ``./netmodes``: prepares what a command needs and runs it.

It runs before anything is installed: it imports the standard library only. It also runs before each command, so
modules that take milliseconds to import (``subprocess``, ``socket``) are imported in the functions that use them.
"""
