"""``./netmodes health``: whether this process of the team shape is well; for health checks of containers."""

from __future__ import annotations

import os
import time
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError

from dashboard import configuration
from dashboard.core.team import HEALTHY_S, Role, role_of
from dashboard.lab import team_store
from dashboard.management.commanding import FAILED, WRONG_USAGE, NetmodesCommand
from dashboard.management.serving import address_file

TIMEOUT_S = 5.0


class Command(NetmodesCommand):
    """Exit 0 where it is well, 1 where it is not."""

    help = "Says whether the lab of this machine beats, or the pages of this data folder are served. Exit 0 or 1."

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
        os.environ["NETMODES_ROLE"] = str(role)  # where the pages of this role say that they are
        problem = self._lab() if role is Role.LAB else self._web(options["port"])
        if problem:
            raise CommandError(problem, returncode=FAILED)
        self.stdout.write("ok")

    def _lab(self) -> str:
        try:
            beat = team_store.newest_beat(team_store.this_machine())
        except DatabaseError as error:
            return f"The database cannot be used: {error}."
        if beat is None or beat.number == 0:
            return "No lab runs on this machine."
        silent_s = time.time() - beat.at
        return f"The lab of this machine was last heard of {silent_s:.0f} s ago." if silent_s > HEALTHY_S else ""

    def _web(self, port: int) -> str:
        host = f"127.0.0.1:{port}"
        if not port:
            try:
                host = urlsplit(address_file().read_text(encoding="utf-8")).netloc
            except FileNotFoundError:
                return f"Nothing serves from {configuration.data_dir()}."
        connection = HTTPConnection(host, timeout=TIMEOUT_S)
        try:
            connection.request("GET", "/healthz")
            status = connection.getresponse().status
        except (OSError, HTTPException) as error:
            return f"http://{host}/healthz does not answer: {error}."
        finally:
            connection.close()
        return "" if status == 200 else f"http://{host}/healthz answers {status}."
