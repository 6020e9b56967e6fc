"""A training session on several machines. Its participants have private hosts, each of which runs a container."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import psycopg

from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.operations.machines.installation import MachinesInstallation
from dashboard.bench.training.deliveries import Instructor
from dashboard.bench.websocket_clients import Client
from dashboard.core.training.host_plan import HostStage

STEP = "launch"
#: The result of one check in the page.
FINDING = re.compile(rb'data-ok="(yes|no)"')
POLL_S = 0.2
DEADLINE_S = 120.0


@dataclass(frozen=True, slots=True)
class HostRow:
    """The host of a group as the database stores it. ``machine`` is empty if the host has no machine yet."""

    machine: str
    host: str
    stage: str
    reason: str


def query(installation: MachinesInstallation, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Executes an SQL statement and returns the rows. Uses a new connection, because PostgreSQL may have been
    restarted."""
    with psycopg.connect(installation.deployment.postgres.url, autocommit=True) as database:
        return database.execute(statement, values).fetchall()


@asynccontextmanager
async def within(state: Callable[[], object], deadline_s: float = DEADLINE_S) -> AsyncIterator[None]:
    """Context manager that raises BenchmarkError if the body of the ``with`` statement takes longer than
    ``deadline_s``. The message contains the result of ``state()``."""
    try:
        async with asyncio.timeout(deadline_s):
            yield
    except TimeoutError:
        raise BenchmarkError(f"not within {deadline_s:g} s: {state()}") from None


@dataclass(slots=True)
class TrainingClass:
    """One training session. Its participants (``people``) are spread over the web processes."""

    installation: MachinesInstallation
    instructor: Instructor
    people: list[Client] = field(default_factory=list)

    @classmethod
    async def open(
        cls, installation: MachinesInstallation, count: int, machine: str = "", hours: int = 1
    ) -> "TrainingClass":
        """Creates a session that lasts ``hours``, and lets ``count`` participants join. The hosts of the session are on
        ``machine``, or on any machine if ``machine`` is empty."""
        options = {"hosts": "person", "terminal": "on", "hours": str(hours)}
        if machine:
            options["machine_labels"] = f"machine={machine}"
        instructor = await asyncio.to_thread(Instructor.with_session, installation.owners[0], count, **options)
        opened = cls(installation, instructor)
        await asyncio.to_thread(instructor.steer, "step", step=STEP)
        webs = installation.deployment.webs
        opened.people = [Client(webs[number % len(webs)].host, number=number) for number in range(count)]
        for person in opened.people:
            await person.join(instructor.code, instructor.key)
        return opened

    @property
    def _deadline_s(self) -> float:
        return DEADLINE_S + len(self.people)

    @property
    def step(self) -> str:
        """The path of the step's page."""
        return f"/sessions/{self.instructor.session}/steps/{STEP}"

    def hosts(self) -> dict[str, HostRow]:
        """The hosts of the session by group."""
        statement = (
            "SELECT \"group\", coalesce(machine_id, ''), host, state, reason "
            "FROM dashboard_grouphost WHERE session_id = %s"
        )
        rows = query(self.installation, statement, self.instructor.session)
        return {group: HostRow(*values) for group, *values in rows}

    def passed(self) -> int:
        """The number of steps that participants of all sessions have passed."""
        return int(query(self.installation, "SELECT count(*) FROM dashboard_workshopstep WHERE passed_at > 0")[0][0])

    def by_machine(self) -> Counter[str]:
        """The number of the session's hosts on each machine."""
        return Counter(row.machine for row in self.hosts().values() if row.host)

    async def start(self, *, together: bool = False) -> tuple[float, float]:
        """Lets all participants open the step at the same time, which requests their hosts.

        Each participant predicts, runs the step's command as soon as the host is ready, and checks the step. If
        ``together`` is true, they predict, run and check only once all hosts are ready. Returns two durations in
        seconds: until all hosts were ready, and until all checks had passed.
        """
        started = time.monotonic()
        await asyncio.gather(*(self._open(person, predicts=not together) for person in self.people))
        ready: set[str] = set()
        async with within(self.hosts, self._deadline_s), asyncio.TaskGroup() as tasks:
            numbers = await asyncio.to_thread(self._groups)
            while len(ready) < len(self.people):
                for group, row in (await asyncio.to_thread(self.hosts)).items():
                    if row.stage == HostStage.FAILED:
                        raise BenchmarkError(f"the host of {group} on {row.machine} failed: {row.reason}")
                    if row.stage == HostStage.READY and group not in ready:
                        ready.add(group)
                        if not together:
                            tasks.create_task(self.work(numbers[group]))
                ready_s = time.monotonic() - started
                await asyncio.sleep(POLL_S)
            if together:
                for group in ready:
                    tasks.create_task(self._predict_and_work(numbers[group]))
        return ready_s, time.monotonic() - started

    async def _open(self, person: Client, *, predicts: bool) -> None:
        status, _ = await person.ask("POST", f"{self.step}/opened/")
        if status != HTTPStatus.NO_CONTENT:
            raise BenchmarkError(f"opening the step was answered with {status}")
        if predicts:
            await person.predict(STEP)

    async def _predict_and_work(self, person: Client) -> None:
        await person.predict(STEP)
        await self.work(person)

    def _groups(self) -> dict[str, Client]:
        """The participants by the key of their group."""
        statement = 'SELECT name, "group" FROM dashboard_participant WHERE session_id = %s'
        named = {f"Participant {person.number}": person for person in self.people}
        session = self.instructor.session
        return {f"{session}-{group}": named[name] for name, group in query(self.installation, statement, session)}

    async def work(self, person: Client) -> None:
        """Runs the step's command, and checks the step until it is passed."""
        async with within(lambda: person.body[-2000:], self._deadline_s):
            while (await person.ask("POST", f"{self.step}/run/", {"number": "0"}))[0] == HTTPStatus.CONFLICT:
                await asyncio.sleep(POLL_S)
            while not await self.has_passed(person):
                await asyncio.sleep(POLL_S)

    async def has_passed(self, person: Client) -> bool:
        """Checks the step for a participant. Returns whether it is passed."""
        status, _ = await person.ask("POST", f"{self.step}/check/")
        findings = set(FINDING.findall(person.body))
        return status == HTTPStatus.OK and findings == {b"yes"}

    async def close(self) -> float:
        """Closes the session. Returns the seconds until no machine has one of its hosts."""
        started = time.monotonic()
        await asyncio.to_thread(self.instructor.steer, "close")
        async with within(self.hosts, self._deadline_s):
            while await asyncio.to_thread(self._left):
                await asyncio.sleep(POLL_S)
        for person in self.people:
            person.close()
        return time.monotonic() - started

    def _left(self) -> bool:
        return any(row.host for row in self.hosts().values())
