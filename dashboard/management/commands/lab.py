"""``./netmodes lab``: runs the lab of a machine that has joined an installation."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from dashboard import configuration
from dashboard.core.operations.deployment import Role
from dashboard.management.commanding import WRONG_USAGE, add_privileged_hosts
from dashboard.management.commands import up


class Command(up.Command):
    """Runs the lab of this machine, which drives its Docker Engine."""

    help = "Runs the lab of a machine that has joined an installation."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds the option ``--privileged-hosts``."""
        add_privileged_hosts(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs until Ctrl-C or SIGTERM."""
        if not settings.MACHINE:
            command = f"{configuration.COMMAND} join TOKEN"
            message = f"This machine has not joined an installation. Run {command} with a token from its Machines page."
            raise CommandError(message, returncode=WRONG_USAGE)
        super().handle(**options, role=str(Role.LAB))
