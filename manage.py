#!/usr/bin/env python3
"""Django's command line for Netmodes; ``./netmodes`` calls it with everything installed."""

import os
import sys

from dashboard import interrupts


def open_closed_streams() -> None:
    """Opens /dev/null as standard input, output and error where the caller has closed them, as ``>&-`` does in a shell.
    Otherwise, Python has no such stream, and the next file that is opened gets its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def main() -> None:
    """Run one command."""
    open_closed_streams()
    interrupts.end_at_once()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    from django.core.management import execute_from_command_line

    from dashboard.configuration import exit_if_invalid

    with exit_if_invalid():
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
