"""A machine that joins a team deployment, and requests for its row on the page and its experiments."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from dashboard.bench.operations.postgres_nats import Service
from dashboard.bench.operations.team_deployment import INHERITED, TeamDeployment
from dashboard.bench.processes import BASE, with_death_signal
from dashboard.bench.server import Server
from dashboard.core.operations.deployment import LAB_READY
from tests.support.polling import until
from tests.support.private_engine import share_lab_image

HEALED_S = 40.0
#: The page shows within these times that a machine is new, and that it is absent.
SEEN_S, ABSENT_S = 20.0, 30.0


class Machine:
    """A machine that joins, as processes with a data folder and an engine of their own."""

    def __init__(self, name: str, folder: Path, endpoint: str) -> None:
        self.name, self.folder = name, folder
        folder.mkdir(mode=0o700)
        share_lab_image(folder)
        common = {key: value for key, value in os.environ.items() if key in INHERITED}
        self.environment = {**common, "NETMODES_DATA_DIR": str(folder), "DOCKER_HOST": endpoint}
        self.lab = Service(
            f"lab-{name}",
            folder.parent,
            with_death_signal([sys.executable, "manage.py", "lab"]),
            lambda: LAB_READY in self.lab.output(),
            environment=self.environment,
            cwd=BASE,
        )

    def join(self, token: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Joins without starting the lab."""
        command = [sys.executable, "manage.py", "join", token, "--no-start", *arguments]
        return subprocess.run(
            command, cwd=BASE, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )

    @property
    def received(self) -> dict[str, str]:
        """The contents of machine.json, which the machine got when it joined."""
        found: dict[str, str] = json.loads((self.folder / "machine.json").read_text())
        return found


def token(server: Server) -> str:
    """A new token, as the page shows it."""
    page = server.ask("POST", "/machines/tokens/", {"address": f"http://{server.host}"})
    assert page.status == 201
    found = re.search(r"join (netmodes-[\w-]+)", page.data.decode())
    assert found
    return found[1]


def row(server: Server, name: str) -> str:
    """The text of a machine's row on the page; empty without one."""
    page = server.ask("GET", "/machines/").data.decode()
    found = re.search(rf'<tr>\s*<th scope="row">(?:<a [^>]*>)?{name}.*?</tr>', page, re.DOTALL)
    return re.sub(r"<[^>]+>|\s+", " ", found[0]) if found else ""


def within(seconds: float, met: Callable[[], Any]) -> None:
    """Waits for a condition; AssertionError if it is not met within ``seconds``."""
    until(met, seconds)


def snapshot(server: Server, identity: str) -> dict[str, Any]:
    """An experiment, from the API of a web process."""
    found: dict[str, Any] = json.loads(server.ask("GET", f"/api/experiments/{identity}").data)
    return found


def head(server: Server, identity: str) -> dict[str, Any]:
    """The head of an experiment's snapshot."""
    found: dict[str, Any] = snapshot(server, identity)["experiment"]
    return found


def hosts(deployment: TeamDeployment) -> list[Any]:
    """The private hosts of groups that have not ended."""
    with psycopg.connect(deployment.postgres.url) as database:
        return database.execute("SELECT host FROM dashboard_grouphost WHERE host <> ''").fetchall()


def containers(server: Server, identity: str) -> list[str]:
    """The ids of an experiment's containers."""
    return [one["container"]["id"] for one in snapshot(server, identity)["columns"] if one["container"]]
