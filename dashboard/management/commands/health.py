"""``./netmodes health``: whether what runs here is well; for health checks of containers."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard import configuration
from dashboard.core.operations.deployment import role_of
from dashboard.lab import liveness
from dashboard.management.commanding import FAILED, WRONG_USAGE, NetmodesCommand


class Command(NetmodesCommand):
    """Exit 0 where it is well, 1 where it is not."""

    help = "Says whether the lab or the pages of this data folder are well. Exit 0 or 1."

    def add_arguments(self, parser: CommandParser) -> None:
        """Of what."""
        parser.add_argument("--role", default=configuration.value("NETMODES_ROLE", "all"), help="all, web or lab")
        parser.add_argument("--port", type=int, default=0, help="where the pages are served, if not where up said")

    def handle(self, *_args: Any, **options: Any) -> None:
        """One line."""
        try:
            role = role_of(options["role"])
        except ValueError as error:
            raise CommandError(str(error), returncode=WRONG_USAGE) from None
        if problem := liveness.problem(configuration.data_dir(), role, options["port"]):
            raise CommandError(problem, returncode=FAILED)
        self.stdout.write("ok")
