"""Several web processes as one: what one does reaches the browsers of the others, and what Redis lost heals.

Wake-ups come over the channel layer (``lab.remote.wakeups``). Besides, whatever browsers of this process follow is looked at in
the database now and then, and who is here is written down for the others.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from dashboard.lab.remote.wakeups import Wakeup, is_set_up
from dashboard.store import experiments as experiment_store
from dashboard.store.log_once import LogOnce
from dashboard.store.operations import rpc_queue
from dashboard.store.training.session_versions import SessionVersion, version_of
from dashboard.web.experiments.hub import ExperimentHub
from dashboard.web.experiments.hub import hub as experiments
from dashboard.web.http.database import in_database
from dashboard.web.measurements.hub import MeasurementHub
from dashboard.web.measurements.hub import hub as runs
from dashboard.web.operations.peer_processes import PeerProcesses, in_loop
from dashboard.web.service import Service, service
from dashboard.web.training.hub import INSTRUCTOR, SessionFeed, SessionHub
from dashboard.web.training.hub import hub as classes

log = logging.getLogger(__name__)

#: How often what is followed is looked at: experiments and measurements; classes, which cost more with every participant.
#: While Redis answers, few wake-ups are lost.
LOOK_S = 1.0
CLASSES_S, CLASSES_WELL_S = 2.0, 10.0
#: Who is woken often looks no more often than this.
GATHER_S = 0.1
#: How often it is written down who is here, if nobody came or went, and how long that counts.
PRESENT_S = 3.0
PRESENCE_COUNTS_S = 10.0


class Team:
    """One web process among several. All in the server's loop."""

    def __init__(self, served: Service, experiments: ExperimentHub, runs: MeasurementHub, classes: SessionHub) -> None:
        self._service = served
        self._experiments, self._runs, self._classes = experiments, runs, classes
        self._me = secrets.token_hex(8)
        self._tasks: list[asyncio.Task[None]] = []
        self._now = asyncio.Event()
        self._said: dict[str, str] = {}
        self._said_at = 0.0

    async def start(self) -> None:
        """Begins, if there may be others."""
        if not self._service.is_team:
            return
        self._now = asyncio.Event()
        self._service.on_wakeup = self.heard
        self._classes.elsewhere = PeerProcesses(self._service.tell, self._ask)
        loop = asyncio.get_running_loop()
        jobs: list[tuple[Callable[[], Coroutine[Any, Any, None]], Callable[[], float]]] = [
            (self.look, lambda: LOOK_S),
            (self.check_sessions, self._classes_s),
            (self.sync_presence, lambda: LOOK_S),
        ]
        self._tasks = [loop.create_task(self._every(job, pause), name=f"team-{job.__name__}") for job, pause in jobs]

    async def close(self) -> None:
        """Ends, and says that nobody is here any more."""
        self._service.on_wakeup = None
        self._classes.elsewhere = PeerProcesses()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if tasks:
            with suppress(Exception):  # what is written down counts for some seconds only
                async with asyncio.timeout(2.0):
                    await in_database(rpc_queue.leave, self._me)

    def _classes_s(self) -> float:
        return CLASSES_WELL_S if is_set_up() and not self._service.wakes.problem else CLASSES_S

    async def _every(self, job: Callable[[], Coroutine[Any, Any, None]], pause_s: Callable[[], float]) -> None:
        log_once = LogOnce(log, "what is followed could not be looked at")
        while True:
            await log_once.run(job)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._now.wait(), pause_s())
            await asyncio.sleep(GATHER_S)

    def heard(self, wake: Wakeup) -> None:
        """A wake-up of another process."""
        match wake:
            case ("experiment", experiment):
                self._experiments.wake(experiment)
            case ("run", run):
                self._runs.wake(run)
            case ("trouble", experiment, problem):
                self._experiments.trouble(experiment, problem)
            case ("class", session):
                self._classes.mark(session)
            case ("class-now", session, *participants):
                self._classes.mark(session, *participants, urgent=True)
            case ("class-out", session, participant):
                self._classes.disconnect_here(session, participant)
            case ("class-mirrors", session):
                self._classes.end_mirrors_here(session)
            case ("all",):
                self._look_now()

    def _look_now(self) -> None:
        now, self._now = self._now, asyncio.Event()
        now.set()

    # What is followed.

    async def look(self) -> None:
        """One question to the database for all experiments; measurements that go on are read anyway."""
        known = self._experiments.followed()
        newest = await in_database(experiment_store.newest, list(known)) if known else {}
        for experiment, seq in known.items():
            if newest.get(experiment, seq + 1) > seq:
                self._experiments.wake_missed(experiment)
        self._runs.look()

    async def check_sessions(self) -> None:
        """What its people are told, in a glance."""
        loop = asyncio.get_running_loop()
        for feed in self._classes.feeds():
            before, feed.version = feed.version, await in_database(version_of, feed.key)
            before_at, feed.version_at = feed.version_at, loop.time()
            if before != feed.version:
                self._changed(feed, before, before_at)

    def _changed(self, feed: SessionFeed, before: SessionVersion, before_at: float) -> None:
        old, new = before.participants or {}, feed.version.participants or {}
        participants = [
            participant
            for participant in feed.connections
            if participant != INSTRUCTOR and old.get(participant) != new.get(participant)
        ]
        self._classes.mark(feed.key, *participants)
        tokens = feed.version.tokens or {}
        for participant, token in (before.tokens or {}).items():
            if tokens.get(participant, "") != token:
                # The participant is on another device now: what was open before, on the old one, ends.
                self._classes.disconnect_here(feed.key, participant, before=before_at)

    # Who is here.

    async def sync_presence(self) -> None:
        """Writes down whose browsers hang on this process, and reads whose hang on others."""
        now = time.time()
        here = {feed.key: " ".join(sorted(feed.present(now))) for feed in self._classes.feeds()}
        gone = {session: "" for session in self._said if session not in here}
        changed = {
            session for session, participants in (here | gone).items() if self._said.get(session, "") != participants
        }
        if changed or (here and now - self._said_at >= PRESENT_S):
            await in_database(rpc_queue.note_presence, self._me, here | gone, now)
            self._said, self._said_at = here, now
        sessions = list(here)
        since = now - PRESENCE_COUNTS_S
        known = await in_database(rpc_queue.present_elsewhere, self._me, sessions, since) if sessions else {}
        before, self._classes.elsewhere.known = (
            self._classes.elsewhere.known,
            {session: known.get(session, frozenset()) for session in sessions},
        )
        for session, participants in self._classes.elsewhere.known.items():
            if before.get(session, frozenset()) != participants:
                self._classes.mark(session)

    def _ask(self, session: str) -> frozenset[str]:
        """For a view in a thread, about a class that nobody follows here."""
        if in_loop():
            return frozenset()
        found = rpc_queue.present_elsewhere(self._me, [session], time.time() - PRESENCE_COUNTS_S)
        return found.get(session, frozenset())


team = Team(service, experiments, runs, classes)
