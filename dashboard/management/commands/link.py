"""``./netmodes link``: a one-time sign-in link for what is running."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from dashboard import configuration
from dashboard.management.commanding import FAILED, NetmodesCommand
from dashboard.management.serving import public_address, served_address, sign_in_line


class Command(NetmodesCommand):
    """Prints a fresh link; the ones before stay good."""

    help = "Prints a one-time sign-in link for the Netmodes that serves from this data folder."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """One line; exit 1 where nothing serves."""
        address = served_address()
        if address is None:
            message = f"Nothing serves from {configuration.data_dir()}: type {configuration.COMMAND} up."
            raise CommandError(message, returncode=FAILED)
        self.stdout.write(sign_in_line(public_address(address)))
