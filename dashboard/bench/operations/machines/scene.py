"""What a fault in an installation with several machines must not harm, and what people see during it.

Each machine has an experiment and private hosts. Each participant checks a workshop step all the time.
"""

import asyncio
import json
import re
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus

import urllib3

from dashboard.bench import benchmark
from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.operations.machines.installation import MachinesInstallation
from dashboard.bench.operations.machines.training_class import HostRow, TrainingClass
from dashboard.bench.operations.postgres_nats import Service
from dashboard.bench.websocket_clients import Client
from dashboard.core.training.host_plan import HostStage

#: Participants of each session. A session with so few hosts stays on one machine.
PEOPLE = 2
#: The duration of the sessions.
HOURS = 8
DEADLINE_S = 120.0
#: How often it is checked that everything works. A check is a page of each web process and a call to each lab.
POLL_S = 0.5
#: Waits until a condition is true.
until = partial(benchmark.until, deadline_s=DEADLINE_S, poll_s=POLL_S)
#: How often each participant checks the step.
CHECK_S = 2.0
#: The exceptions that end a request that no process answers.
LOST = (OSError, asyncio.IncompleteReadError, TimeoutError, urllib3.exceptions.HTTPError)


@dataclass(slots=True)
class MachineScene:
    """The training sessions (``classes``), experiments and hosts of an installation.

    ``experiments`` maps the name of each machine to the id of its experiment. ``hosts``, ``containers`` and ``passed``
    are the state that ``record_state`` has recorded. ``answers`` counts, by status and message, what participants have
    received since it was last cleared. ``webs`` are the numbers of the running web processes.
    """

    installation: MachinesInstallation
    classes: list[TrainingClass] = field(default_factory=list)
    experiments: dict[str, str] = field(default_factory=dict)
    containers: dict[str, frozenset[str]] = field(default_factory=dict)
    hosts: dict[str, HostRow] = field(default_factory=dict)
    passed: int = 0
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    webs: list[int] = field(default_factory=lambda: [0, 1])

    @property
    def names(self) -> list[str]:
        """The names of the machines."""
        return list(self.installation.machines)

    # What must last.

    async def record_state(self) -> None:
        """Records the existing hosts, passed steps and containers, for a later ``count_lost``."""
        self.hosts = await asyncio.to_thread(self._hosts)
        self.passed = await asyncio.to_thread(self.classes[0].passed)
        self.containers = {
            key: await asyncio.to_thread(self._containers, key) for key in (*self.experiments, *self.hosts)
        }

    def _hosts(self) -> dict[str, HostRow]:
        return {group: row for each in self.classes for group, row in each.hosts().items()}

    def _containers(self, key: str) -> frozenset[str]:
        """The ids of the running containers on the engine of a machine or of a group's host. ``key`` is a machine's
        name or a group."""
        row = self.hosts.get(key)
        machine = self.installation.machines[key if row is None else row.machine].machine
        socket = "/run/docker.sock" if row is None else f"/run/netmodes/{row.host}/docker.sock"
        command = ["docker", "-H", f"unix://{machine.path(socket)}", "ps", "-q", "--no-trunc"]
        listed = subprocess.run(command, capture_output=True, text=True, check=False)
        return frozenset(listed.stdout.split())

    async def count_lost(self, moved: frozenset[str] = frozenset()) -> int:
        """Returns how much was lost since the last ``record_state``; 0 if nothing was. Experiments must run, and
        containers and passed steps must still exist. Hosts must be ready and unchanged. Only the hosts of the groups in
        ``moved`` must be on another machine instead. A machine or host that has lost containers counts once."""
        before, after = self.hosts, await asyncio.to_thread(self._hosts)
        lost = max(0, self.passed - await asyncio.to_thread(self.classes[0].passed))
        for group, row in before.items():
            now = after.get(group)
            if now is None or now.stage != HostStage.READY:
                lost += 1
            elif group in moved:
                lost += now.machine == row.machine
            else:
                lost += now != row
        for machine, identity in self.experiments.items():
            lost += (await self.phase(identity)) != "running"
            lost += not self.containers[machine] <= await asyncio.to_thread(self._containers, machine)
        for group in before.keys() - moved:
            lost += not self.containers[group] <= await asyncio.to_thread(self._containers, group)
        return lost

    async def phase(self, identity: str) -> str:
        """The phase of an experiment; empty if the server does not return it."""
        owner = self.installation.owners[self.webs[0]]
        answer = await asyncio.to_thread(owner.ask, "GET", f"/api/experiments/{identity}")
        return str(json.loads(answer.data)["experiment"]["phase"]) if answer.status == HTTPStatus.OK else ""

    # What people see.

    async def is_healed(self) -> bool:
        """Whether the pages of all web processes show all machines as connected, the lab of each experiment answers a
        call, and all participants' checks pass."""
        try:
            for web in self.webs:
                rows = await asyncio.to_thread(self.installation.rows, web)
                if any("connected" not in rows.get(name, "") for name in self.names):
                    return False
                owner = self.installation.owners[web]
                for identity in self.experiments.values():
                    tried = await asyncio.to_thread(owner.ask, "POST", f"/experiments/{identity}/try/")
                    if tried.status != HTTPStatus.OK:
                        return False
            return all([await self._passes(each, person) for each in self.classes for person in each.people])
        except (*LOST, BenchmarkError):
            return False

    async def _passes(self, each: TrainingClass, person: Client) -> bool:
        self._choose_web(person)
        return await each.has_passed(person)

    def _choose_web(self, person: Client) -> None:
        """Assigns a running web process to a participant, like a reverse proxy. The assignment changes only when a web
        process ends or starts."""
        webs = self.installation.deployment.webs
        host = webs[self.webs[person.number % len(self.webs)]].host
        if host != person.host:
            person.close()
            person.host = host

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Context manager in which participants check the step repeatedly. ``answers`` counts the answers and errors
        that they receive."""
        people = [
            Client(person.host, dict(person.cookies), number=person.number, session=person.session)
            for each in self.classes
            for person in each.people
        ]
        steps = [each.step for each in self.classes for _person in each.people]
        tasks = [asyncio.create_task(self._check(*one)) for one in zip(people, steps, strict=True)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for person in people:
                person.close()

    async def _check(self, person: Client, step: str) -> None:
        while True:
            self._choose_web(person)
            try:
                async with asyncio.timeout(70.0):
                    status, _ = await person.ask("POST", f"{step}/check/")
            except LOST as error:
                person.close()
                self.answers[0, type(error).__name__] += 1
            else:
                self.answers[status, "" if status == HTTPStatus.OK else sentence_of(person.body)] += 1
            await asyncio.sleep(CHECK_S)


def sentence_of(page: bytes) -> str:
    """The first message that a page shows, or the beginning of its text."""
    text = page.decode(errors="replace")
    found = re.search(r'class="notice(?![^>]*\bhidden\b)[^>]*>(.*?)</p>', text, re.DOTALL) or re.search(
        "<main.*?>(.*)</main>", text, re.DOTALL
    )
    return " ".join(re.sub("<[^>]*>", " ", found[1] if found else text).split())[:160]


@asynccontextmanager
async def open_scene(installation: MachinesInstallation) -> AsyncIterator[MachineScene]:
    """Context manager that launches an experiment on each machine and opens training sessions with hosts on all
    machines. Removes them afterwards."""
    scene = MachineScene(installation)
    owner = installation.owners[0]
    try:
        for name in scene.names:
            form = {"host": f"@{name}", "image": "nginx", "port": "80", "mode": "none", "publish": ""}
            scene.experiments[name] = (await asyncio.to_thread(owner.post, "/experiments/", form)).split("/")[2]
        for _name in scene.names:
            scene.classes.append(await TrainingClass.open(installation, PEOPLE, hours=HOURS))
            await scene.classes[-1].start()
        for identity in scene.experiments.values():
            await until(lambda identity=identity: _runs(scene, identity), "running")  # type: ignore[misc]
        await scene.record_state()
        if {row.machine for row in scene.hosts.values()} != set(scene.names):
            raise BenchmarkError(f"the hosts are not on all machines: {scene.hosts}")
        yield scene
    finally:
        for each in scene.classes:
            await each.close()
        for identity in scene.experiments.values():
            await asyncio.to_thread(owner.remove, identity)


async def _runs(scene: MachineScene, identity: str) -> bool:
    return await scene.phase(identity) == "running"


async def started(service: Service) -> None:
    """Starts a service, and waits until it is ready without blocking the event loop."""
    service.launch()
    while not await asyncio.to_thread(service.is_started):
        await asyncio.sleep(POLL_S)
