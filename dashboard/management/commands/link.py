"""``./netmodes link``: prints a one-time sign-in link for the running server."""

from typing import Any

from django.core.management.base import CommandError

from dashboard import configuration
from dashboard.management.commanding import NetmodesCommand
from dashboard.management.serving import linked_address, public_address, sign_in_line
from dashboard.store.operations import audit
from dashboard.store.operations.accounts import the_owner


class Command(NetmodesCommand):
    """Prints a new sign-in link for the owner. Earlier links stay valid."""

    help = "Prints a one-time sign-in link for the running server of this data folder."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Prints the link. Exits with 1 if no server is running, or one of an earlier version."""
        address = linked_address()
        if address is None:
            message = f"No server runs from {configuration.data_dir()}. Start it with {configuration.COMMAND} up."
            raise CommandError(message)
        self.require_current_server()
        name = the_owner().username[:120]
        with audit.pending(audit.PendingEntry(account=audit.COMMAND_LINE, action="link account", object=name)):
            self.stdout.write(sign_in_line(public_address(address)))
