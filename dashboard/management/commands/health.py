"""``./netmodes health``: checks whether the process of a data folder is healthy, for health checks of containers."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard import configuration
from dashboard.core.operations.deployment import parse_role
from dashboard.lab import liveness
from dashboard.management.commanding import WRONG_USAGE, NetmodesCommand


class Command(NetmodesCommand):
    """Checks the process of this data folder."""

    help = "Checks the lab or the pages of this data folder. Exit 0 if healthy, 1 if not."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds options for the role and the port of the process."""
        parser.add_argument("--role", default=configuration.value("NETMODES_ROLE", "all"), help="all, web or lab")
        parser.add_argument(
            "--port", type=int, default=0, help="port of the pages (default: that of the running server)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs the check. Exits with 0 if the process is healthy, 1 with the reason if not, 2 for an unknown role."""
        try:
            role = parse_role(options["role"])
        except ValueError as error:
            raise CommandError(str(error), returncode=WRONG_USAGE) from None
        if problem := liveness.problem(configuration.data_dir(), role, options["port"]):
            raise CommandError(problem)
        self.stdout.write("ok")
