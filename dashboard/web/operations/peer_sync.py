"""Keeps several web processes synchronized, even if wake-ups are lost.

Wake-ups are sent over NATS (``lab.remote.wakeups``). In addition, every process polls the database for the objects that
its browsers show. It also reports to the other processes which participants are connected to it.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from itertools import chain
from typing import Any

from dashboard.lab.remote.wakeups import Wakeup
from dashboard.store import journal as journal_store
from dashboard.store import parts
from dashboard.store.log_once import LogOnce
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.training.session_versions import SessionVersion, mirrors_of, version_of
from dashboard.web.experiments.hub import ExperimentHub
from dashboard.web.experiments.hub import hub as experiments
from dashboard.web.experiments.machines import machine_notes
from dashboard.web.http.database import to_db_thread
from dashboard.web.measurements.carrier import BlockCarriers
from dashboard.web.measurements.hub import MeasurementHub
from dashboard.web.measurements.hub import hub as measurements
from dashboard.web.operations.peer_processes import PeerProcesses
from dashboard.web.service import Service, service
from dashboard.web.training.hub import SessionHub
from dashboard.web.training.hub import hub as sessions
from dashboard.web.training.session_feed import INSTRUCTOR, SessionFeed

log = logging.getLogger(__name__)

#: Seconds between two checks of experiments and measurements (``CHECK_S``), and of training sessions. The latter are
#: checked less often while NATS answers: few wake-ups are lost then, and a check takes longer with every participant.
CHECK_S = 1.0
SESSIONS_S, SESSIONS_WITH_NATS_S = 2.0, 10.0
#: The minimum number of seconds between two checks, however many wake-ups request one.
MIN_PAUSE_S = 0.1
#: Seconds between two reports of unchanged presence.
PRESENCE_S = 3.0


class PeerSync:
    """Synchronizes this web process with the other web processes. Use it only in the server's event loop."""

    def __init__(
        self, served: Service, experiments: ExperimentHub, measurements: MeasurementHub, sessions: SessionHub
    ) -> None:
        self._service = served
        self._experiments, self._measurements, self._sessions = experiments, measurements, sessions
        self._process = secrets.token_hex(8)
        self._carriers = BlockCarriers(served)
        self._tasks: list[asyncio.Task[None]] = []
        self._check_now = asyncio.Event()
        self._reported: dict[str, str] = {}
        self._reported_at = 0.0

    async def start(self) -> None:
        """Starts the synchronization, if there may be other processes."""
        if not self._service.has_peers:
            return
        self._check_now = asyncio.Event()
        self._service.on_wakeup = self.receive
        self._sessions.peers = PeerProcesses(self._service.tell)
        loop = asyncio.get_running_loop()
        jobs: list[tuple[Callable[[], Coroutine[Any, Any, None]], Callable[[], float]]] = [
            (self.check, lambda: CHECK_S),
            (self.check_sessions, self._sessions_pause_s),
            (self.sync_presence, lambda: CHECK_S),
        ]
        self._tasks = [loop.create_task(self._every(job, pause), name=f"peers-{job.__name__}") for job, pause in jobs]

    async def close(self) -> None:
        """Stops the synchronization, and reports that no participant is connected to this process."""
        self._service.on_wakeup = None
        self._sessions.peers = PeerProcesses()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._carriers.close()
        if tasks:
            self._service.tell("present", self._process)

    def _sessions_pause_s(self) -> float:
        return SESSIONS_S if self._service.nats.problem else SESSIONS_WITH_NATS_S

    async def _every(self, job: Callable[[], Coroutine[Any, Any, None]], pause_s: Callable[[], float]) -> None:
        log_once = LogOnce(log, "cannot check the database for changes")
        while True:
            await log_once.run(job)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._check_now.wait(), pause_s())
            await asyncio.sleep(MIN_PAUSE_S)

    def receive(self, wakeup: Wakeup) -> None:
        """Handles a wake-up from another process. ``wakeup`` is the kind of the change, then its arguments."""
        match wakeup:
            case ("experiment", experiment):
                self._experiments.wake(experiment)
            case ("run", run):
                self._measurements.wake(run)
            case ("renamed", experiment, title):
                self._experiments.rename(experiment, title)
            case ("trouble", experiment, problem, machine):
                self._experiments.trouble(experiment, problem, machine)
            case ("class", session):
                self._sessions.mark(session)
            case ("class-now", session, *participants):
                self._sessions.mark(session, *participants, urgent=True)
            case ("class-out", session, participant):
                self._sessions.disconnect_here(session, participant)
            case ("class-mirrors", session):
                self._sessions.end_mirrors_here(session)
            case ("present", process, *sessions):
                pairs = zip(sessions[::2], sessions[1::2], strict=True)
                present = {session: frozenset(participants.split()) for session, participants in pairs}
                self._mark(self._sessions.peers.report(process, present, time.monotonic()))
            case ("all",):
                self._reported_at = 0.0
                self._sessions.peers.renew(time.monotonic())
                now, self._check_now = self._check_now, asyncio.Event()
                now.set()

    async def check(self) -> None:
        """Checks the database for changes that no wake-up has announced, and makes the hubs read them.

        Checks all experiments that browsers show with one query, and the measurements that are running. Also updates
        the notes about machines, and starts the ``BlockCarriers`` tasks of new measurements.
        """
        shown = self._experiments.followed()
        newest = await to_db_thread(journal_store.newest, list(shown)) if shown else {}
        for experiment, seq in shown.items():
            last, title = newest.get(experiment, (seq + 1, ""))
            if last > seq:
                self._experiments.wake_missed(experiment)
            if title:
                self._experiments.rename(experiment, title)
        if divided := self._experiments.divided:
            requested = await to_db_thread(parts.requested_phases, divided)
            self._experiments.note_machines(await to_db_thread(machine_notes), requested)
        self._measurements.look()
        if self._service.labs is not None:
            await self._carriers.look()

    async def check_sessions(self) -> None:
        """Checks whether the sessions with clients in this process have changed, and makes the hub send the changes.

        Also closes connections to shared comparisons that the instructor no longer shows.
        """
        loop = asyncio.get_running_loop()
        for feed in self._sessions.feeds():
            before, feed.version = feed.version, await to_db_thread(version_of, feed.key)
            before_at, feed.version_at = feed.version_at, loop.time()
            if before != feed.version:
                self._on_change(feed, before, before_at)
        if mirrored := self._sessions.linked.mirrored():
            current = await to_db_thread(mirrors_of, mirrored)
            for session in mirrored:
                self._sessions.end_mirrors_here(session, current.get(session, ""))

    def _on_change(self, feed: SessionFeed, before: SessionVersion, before_at: float) -> None:
        old, new = before.participants or {}, feed.version.participants or {}
        changed = [key for key in feed.connections if key != INSTRUCTOR and old.get(key) != new.get(key)]
        self._sessions.mark(feed.key, *changed)
        tokens = feed.version.tokens or {}
        for participant, token in (before.tokens or {}).items():
            if tokens.get(participant, "") != token:
                # The participant has moved to another device: closes the connections of the old device.
                self._sessions.disconnect_here(feed.key, participant, before=before_at)

    async def sync_presence(self) -> None:
        """Reports which participants are connected to this process, if they have changed or if the last report is old.

        Also removes other processes that no longer report.
        """
        here = {feed.key: " ".join(sorted(feed.present(shared_clock()))) for feed in self._sessions.feeds()}
        now = time.monotonic()
        if here != self._reported or (here and now - self._reported_at >= PRESENCE_S):
            self._service.tell("present", self._process, *chain.from_iterable(here.items()))
            self._reported, self._reported_at = here, now
        if not self._service.nats.problem:  # without NATS no process can report
            self._mark(self._sessions.peers.expire(now))

    def _mark(self, sessions: Iterable[str]) -> None:
        for session in sessions:
            self._sessions.mark(session)


peer_sync = PeerSync(service, experiments, measurements, sessions)
