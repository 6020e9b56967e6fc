#!/usr/bin/env python3
"""Django's command line for Netmodes; ``./netmodes`` calls it with everything installed."""

import os
import sys

from dashboard import interrupts


def main() -> None:
    """Run one command."""
    interrupts.end_at_once()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
