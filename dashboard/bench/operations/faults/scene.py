"""What a fault must not harm: the objects that the server has acknowledged, and foreign containers and networks."""

import asyncio
import re
import subprocess
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec
import urllib3

from dashboard.bench.benchmark import BenchmarkError, until
from dashboard.bench.operations.faults.trials import Trial
from dashboard.bench.server import Server

DEADLINE_S = 90.0
FOREIGN = "foreign"


@dataclass(slots=True)
class Ledger:
    """What the server has acknowledged. ``experiments`` maps the id of each experiment to whether it must run.
    ``removed`` are the ids of removed experiments. ``reports`` are the ids of saved reports. ``open`` are the ids of
    experiments whose last command got no response: the server may or may not have executed it."""

    experiments: dict[str, bool] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    reports: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)

    def launch(self, server: Server) -> str:
        """Launches an experiment, records it and returns its id."""
        identity = server.launch(("bridge", "none", "user-bridge"))
        self.experiments[identity] = True
        return identity

    def act(self, server: Server, identity: str, action: str) -> None:
        """Sends a command to an experiment: ``stop``, ``again`` or ``remove``. Records the state that the server has
        acknowledged."""
        self.open.add(identity)
        server.post(f"/experiments/{identity}/{action}/")
        self.open.discard(identity)
        if action == "remove":
            self.experiments.pop(identity, None)
            self.removed.add(identity)
        else:
            self.experiments[identity] = action == "again"

    def save(self, server: Server, identity: str) -> None:
        """Saves a report of an experiment, and records the report. Ignores a refusal, for example because the
        experiment has no journal entries yet. Raises BenchmarkError if the server fails."""
        answer = server.ask("POST", f"/experiments/{identity}/save/", {"title": identity})
        saved = re.fullmatch(r"/reports/([^/]+)/", answer.headers.get("location", ""))
        if saved is not None:
            self.reports.add(saved[1])
        elif answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise BenchmarkError(f"the response to saving was {answer.status}")

    def count_lost(self, server: Server) -> int:
        """The number of acknowledged objects that the server no longer has. Also records what only the server knows,
        such as a launch whose response was lost."""
        there = phases(server)
        lost = [one for one in self.experiments if one not in there and one not in self.open]
        lost += self.reports - saved_reports(server) if self.reports else ()
        for identity in self.open - there.keys():
            self.experiments.pop(identity, None)
        self.open = {one for one in there if one in self.open or one not in self.experiments} - self.removed
        return len(lost)

    def is_settled(self, server: Server) -> bool:
        """Whether every experiment has reached the state that the server has acknowledged."""
        there = phases(server)
        wrong = [
            one
            for one, runs in self.experiments.items()
            if one not in self.open and there.get(one) != ("running" if runs else "stopped")
        ]
        return not wrong and not self.removed & there.keys()


def phases(server: Server) -> dict[str, str]:
    """The phase of every experiment of the server, by id."""
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
    """An engine that the server uses. It also has a *foreign* container and network, which belong to no experiment. It
    is controlled with the docker command."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._foreign = ("", "", "")

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Runs the docker command and returns its stdout. Raises BenchmarkError if it fails and ``check`` is true."""
        command = ["docker", "-H", self.endpoint, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        if check and done.returncode != 0:
            raise BenchmarkError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def add_foreign(self) -> None:
        """Creates the foreign network and container, and records their state."""
        self.docker("network", "create", FOREIGN)
        self.docker("run", "-d", "--name", FOREIGN, "--network", FOREIGN, "nginx")
        self._foreign = self._foreign_state()

    def _foreign_state(self) -> tuple[str, str, str]:
        """Three texts: the id of the foreign network; the id and image of the foreign container; whether the container
        runs, and its start time."""
        network = self.docker("network", "inspect", "--format", "{{.Id}}", FOREIGN, check=False)
        form = "{{.Id}} {{.Image}}|{{.State.Running}} {{.State.StartedAt}}"
        container, _, runs = self.docker("inspect", "--format", form, FOREIGN, check=False).partition("|")
        return network, container, runs

    def touched(self, *, ran: bool = True) -> int:
        """The number of foreign objects that have changed. ``ran`` is false if the engine was killed meanwhile: then
        the container may have stopped or started again."""
        pairs = list(zip(self._foreign_state(), self._foreign, strict=True))
        return sum(now != before for now, before in (pairs if ran else pairs[:2]))

    def running(self) -> set[str]:
        """The names of the running containers of all experiments."""
        return set(self.docker("ps", "--format", "{{.Names}}", "--filter", "name=^nm-").split())

    def objects(self) -> set[str]:
        """The names of the containers and networks of all experiments."""
        containers = self.docker("ps", "-a", "--format", "{{.Names}}", "--filter", "name=^nm-").split()
        return {*containers, *self.docker("network", "ls", "--format", "{{.Name}}", "--filter", "name=^nm-").split()}

    def orphaned_objects(self, known: Collection[str]) -> set[str]:
        """The names of containers and networks of experiments that are not in ``known``."""
        return {name for name in self.objects() if name.split("-")[1] not in known}

    async def leftovers(self, known: Collection[str] = ()) -> int:
        """The number of containers and networks of experiments that are not in ``known``. Removal continues in the
        background, so this waits until there are none, for at most ``DEADLINE_S``."""
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
            await until(nothing, "the removal of all experiments", DEADLINE_S)
        if left is None:
            raise BenchmarkError("the engine does not list its containers and networks")
        return len(left)


async def settle(server: Server, ledger: Ledger) -> None:
    """Waits until every experiment has reached the state that the server has acknowledged."""
    await until(lambda: asyncio.to_thread(ledger.is_settled, server), "what was acknowledged")


async def clear(server: Server, machine: Machine, ledger: Ledger) -> int:
    """Removes every experiment. Returns how many of their objects remain on the engine."""
    for identity in await asyncio.to_thread(phases, server):
        await asyncio.to_thread(ledger.act, server, identity, "remove")
    return await machine.leftovers()


async def trial_of(
    fault: str, seconds: float, server: Server, machine: Machine, ledger: Ledger, *, ran: bool = True
) -> Trial:
    """Returns the trial of a fault. Counts the lost objects, then removes all experiments and counts what is left over.
    ``seconds`` is the trial's ``ready_s``. ``ran`` is false if the fault killed the engine."""
    lost = await asyncio.to_thread(ledger.count_lost, server)
    leaked = await clear(server, machine, ledger)
    return Trial(fault, seconds, lost, leaked, await asyncio.to_thread(machine.touched, ran=ran))
