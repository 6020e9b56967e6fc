"""What a fault must not harm: objects that the server has acknowledged, and foreign containers and networks."""

import asyncio
import re
import subprocess
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec
import urllib3

from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.server import Server

POLL_S = 0.05
DEADLINE_S = 90.0
FOREIGN = "foreign"


async def until(condition: Callable[[], Awaitable[bool]], what: str, deadline_s: float | None = None) -> float:
    """The seconds until the condition holds. Raises BenchmarkError after ``deadline_s`` (default: ``DEADLINE_S``)."""
    started = time.monotonic()
    limit_s = DEADLINE_S if deadline_s is None else deadline_s
    while not await condition():
        if time.monotonic() - started > limit_s:
            raise BenchmarkError(f"{what}: not within {limit_s:g} s")
        await asyncio.sleep(POLL_S)
    return time.monotonic() - started


@dataclass(slots=True)
class Ledger:
    """What the server has acknowledged. ``experiments`` maps an id to whether the experiment must run; ``open`` has the
    experiments with a lost response: either outcome is correct."""

    experiments: dict[str, bool] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    reports: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)

    def launch(self, server: Server) -> str:
        """Launches an experiment."""
        identity = server.launch(("bridge", "none", "user-bridge"))
        self.experiments[identity] = True
        return identity

    def act(self, server: Server, identity: str, action: str) -> None:
        """Stops, restarts or removes an experiment."""
        self.open.add(identity)
        server.post(f"/experiments/{identity}/{action}/")
        self.open.discard(identity)
        if action == "remove":
            self.experiments.pop(identity, None)
            self.removed.add(identity)
        else:
            self.experiments[identity] = action == "again"

    def save(self, server: Server, identity: str) -> None:
        """Saves a report of an experiment, unless it has no entries yet."""
        answer = server.ask("POST", f"/experiments/{identity}/save/", {"title": identity})
        saved = re.fullmatch(r"/reports/([^/]+)/", answer.headers.get("location", ""))
        if saved is not None:
            self.reports.add(saved[1])
        elif answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise BenchmarkError(f"the response to saving was {answer.status}")

    def count_lost(self, server: Server) -> int:
        """The number of acknowledged objects that the server no longer has. Records what only the server knows,
        such as a launch with a lost response."""
        there = phases(server)
        lost = [one for one in self.experiments if one not in there and one not in self.open]
        lost += self.reports - saved_reports(server) if self.reports else ()
        for identity in self.open - there.keys():
            self.experiments.pop(identity, None)
        self.open = {one for one in there if one in self.open or one not in self.experiments} - self.removed
        return len(lost)

    def is_settled(self, server: Server) -> bool:
        """Whether every experiment has reached its acknowledged state."""
        there = phases(server)
        wrong = [
            one
            for one, runs in self.experiments.items()
            if one not in self.open and there.get(one) != ("running" if runs else "stopped")
        ]
        return not wrong and not self.removed & there.keys()


def phases(server: Server) -> dict[str, str]:
    """The phase of every experiment of the server."""
    rows: list[dict[str, Any]] = msgspec.json.decode(server.get("/api/experiments"))
    return {row["id"]: row["phase"] for row in rows}


def saved_reports(server: Server) -> set[str]:
    """The ids of all saved reports of the server."""
    found: set[str] = set()
    page, pages = 0, 1
    while page < pages:
        page += 1
        listed = msgspec.json.decode(server.get(f"/api/reports?page={page}"))
        found |= {report["id"] for report in listed["reports"]}
        pages = listed["pages"]
    return found


async def ready(server: Server) -> bool:
    """Whether ``/readyz`` answers 200."""
    try:
        return (await asyncio.to_thread(server.ask, "GET", "/readyz")).status == HTTPStatus.OK
    except urllib3.exceptions.HTTPError:
        return False


class Machine:
    """The engine of the scene, used through its command line, with a foreign container and a foreign network."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._foreign = ("", "", "")

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Stdout of the docker command. Raises BenchmarkError if it fails and ``check`` is set."""
        command = ["docker", "-H", self.endpoint, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        if check and done.returncode != 0:
            raise BenchmarkError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def add_foreign(self) -> None:
        """Starts a container and creates a network that no experiment owns."""
        self.docker("network", "create", FOREIGN)
        self.docker("run", "-d", "--name", FOREIGN, "--network", FOREIGN, "nginx")
        self._foreign = self._foreign_state()

    def _foreign_state(self) -> tuple[str, str, str]:
        """The foreign network, the foreign container, and its start time."""
        network = self.docker("network", "inspect", "--format", "{{.Id}}", FOREIGN, check=False)
        form = "{{.Id}} {{.Image}}|{{.State.Running}} {{.State.StartedAt}}"
        container, _, runs = self.docker("inspect", "--format", form, FOREIGN, check=False).partition("|")
        return network, container, runs

    def touched(self, *, ran: bool = True) -> int:
        """How many foreign objects have changed. ``ran``: the engine ran throughout, so the container must have the
        same start time."""
        pairs = list(zip(self._foreign_state(), self._foreign, strict=True))
        return sum(now != before for now, before in (pairs if ran else pairs[:2]))

    def running(self) -> set[str]:
        """The names of the running containers of experiments."""
        return set(self.docker("ps", "--format", "{{.Names}}", "--filter", "name=^nm-").split())

    def objects(self) -> set[str]:
        """The names of containers and networks of experiments."""
        containers = self.docker("ps", "-a", "--format", "{{.Names}}", "--filter", "name=^nm-").split()
        return {*containers, *self.docker("network", "ls", "--format", "{{.Name}}", "--filter", "name=^nm-").split()}

    def orphaned_objects(self, known: Collection[str]) -> set[str]:
        """The containers and networks that belong to no experiment of ``known``."""
        return {name for name in self.objects() if name.split("-")[1] not in known}

    async def leftovers(self, known: Collection[str] = ()) -> int:
        """Waits until only experiments of ``known`` have containers or networks: removal continues in the background.
        Returns how many others remain."""
        left: set[str] | None = None

        async def nothing() -> bool:
            nonlocal left
            try:
                left = await asyncio.to_thread(self.orphaned_objects, known)
            except BenchmarkError:
                # The Engine answers a list with an error if an object of it is removed meanwhile.
                return False
            return not left

        with suppress(BenchmarkError):
            await until(nothing, "the removal of all experiments")
        if left is None:
            raise BenchmarkError("the engine does not list its containers and networks")
        return len(left)


async def clear(server: Server, machine: Machine, ledger: Ledger) -> int:
    """Removes every experiment; returns how many of their objects remain on the engine."""
    for identity in await asyncio.to_thread(phases, server):
        await asyncio.to_thread(ledger.act, server, identity, "remove")
    return await machine.leftovers()
