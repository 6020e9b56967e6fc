"""Who listens to a class: everybody gets the same text, encoded once; each participant a small one of its own.

What the instructor does is told at once; who comes and goes, and what is answered, is gathered.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from dashboard.core.experiments.messages import encode
from dashboard.core.training.messages import ClassChanged, SessionState
from dashboard.core.training.session import GRACE_S, is_present
from dashboard.store.training import participants, session_state
from dashboard.store.training import sessions as training_sessions
from dashboard.store.training.session_versions import SessionVersion
from dashboard.web.feed_hub import GONE, RETRY_S, Client, Feed, FeedHub, Send, WriteNow
from dashboard.web.http.database import in_database
from dashboard.web.operations.peer_processes import Elsewhere
from dashboard.web.workshops.views import library

log = logging.getLogger(__name__)
GATHER_S = 0.5
HOSTS_S = 1.0
#: The instructor's name among the participants.
INSTRUCTOR = ""


@dataclass(slots=True)
class ClassFeed(Feed):
    """One class. ``connections`` are the connections of each participant; ``left_at`` is when the last one was lost; ``door`` are
    those who wait to be admitted, which are told nothing but that."""

    state: SessionState | None = None
    connections: dict[str, set[Client]] = field(default_factory=dict)
    left_at: dict[str, float] = field(default_factory=dict)
    door: set[Client] = field(default_factory=set)
    urgent: asyncio.Event = field(default_factory=asyncio.Event)
    unseen: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)
    number: int = 0
    #: The participants of which it is written down that they are here.
    noted: set[str] = field(default_factory=set)
    #: When each connection began, by the loop's clock.
    entered: dict[Client, float] = field(default_factory=dict)
    #: The class as it was seen last by who looks for lost wake-ups, and when.
    version: SessionVersion = field(default_factory=SessionVersion)
    marked_at: float = 0.0
    #: By group, where there are private hosts.
    hosts: dict[int, tuple[str, str]] | None = None

    def present(self, now: float) -> set[str]:
        """The participants that are there."""
        known = self.connections.keys() | self.left_at.keys()
        return {
            participant
            for participant in known
            if participant != INSTRUCTOR
            and is_present(len(self.connections.get(participant, ())), self.left_at.get(participant, 0.0), now)
        }


def _read(session: str, present: int) -> SessionState | None:
    row = training_sessions.get(session)
    workshop = library().get(row.workshop) if row is not None else None
    return session_state.state_of(row, workshop, present) if row is not None and workshop is not None else None


class ClassHub(FeedHub[ClassFeed]):
    """Feeds by session."""

    def __init__(self) -> None:
        super().__init__()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._mirrors: dict[str, dict[Client, FeedHub[Any]]] = {}
        self._works: dict[str, dict[Client, FeedHub[Any]]] = {}
        self.elsewhere = Elsewhere()

    def _new_feed(self, key: str) -> ClassFeed:
        return ClassFeed(key)

    def _soon(self, call: Callable[[], None]) -> None:
        """In the loop of the connections, whoever asks."""
        if self._loop is None or self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(call)

    def wake(self, key: str) -> None:
        """Something is new that can wait for what else is."""
        self.elsewhere.tell("class", key)
        self._soon(lambda: self._mark(key))

    def tell(self, session: str, *participants_of: str) -> None:
        """Something is new that is told at once; these participants are also told what is theirs."""
        self.elsewhere.tell("class-now", session, *participants_of)
        self._soon(lambda: self._mark(session, *participants_of, urgent=True))

    def heard(self, session: str, *participants_of: str, urgent: bool = False) -> None:
        """The same, said by another process. In the loop of the connections."""
        self._mark(session, *participants_of, urgent=urgent)

    def feeds(self) -> list[ClassFeed]:
        """The classes that browsers follow."""
        return list(self._feeds.values())

    def _mark(self, session: str, *participants_of: str, urgent: bool = False) -> None:
        feed = self._feeds.get(session)
        if feed is not None:
            feed.private.update(participants_of)
            feed.dirty.set()
            if urgent:
                feed.urgent.set()

    def present(self, session: str) -> dict[str, bool]:
        """Who is there now."""
        feed = self._feeds.get(session)
        here = feed.present(time.time()) if feed is not None else set()
        return dict.fromkeys(here | self.elsewhere.participants(session), True)

    def number_present(self, now: float) -> int:
        """How many participants of all classes are there."""
        return sum(len(feed.present(now)) for feed in self._feeds.values())

    async def enter(
        self, session: str, participant: str, send: Send, write: WriteNow | None, *, admitted: bool
    ) -> Client:
        """A browser of a participant, or of the instructor (``INSTRUCTOR``)."""
        self._loop = asyncio.get_running_loop()
        feed = self._open_feed(session)
        if admitted:
            client = await self.join(session, send, write)
        else:
            client = Client(send, write)
            feed.door.add(client)
        feed.connections.setdefault(participant, set()).add(client)
        feed.entered[client] = self._loop.time()
        feed.left_at.pop(participant, None)
        if participant != INSTRUCTOR:
            feed.unseen.add(participant)
            await self._tell_participant(feed, participant, client)
        feed.dirty.set()
        return client

    def go(self, session: str, participant: str, client: Client) -> None:
        """A browser has gone; its participant is there for a moment yet."""
        feed = self._feeds.get(session)
        if feed is not None:
            feed.door.discard(client)
            feed.entered.pop(client, None)
            connections = feed.connections.get(participant, set())
            connections.discard(client)
            if not connections:
                feed.connections.pop(participant, None)
                feed.left_at[participant] = time.time()
                asyncio.get_running_loop().call_later(GRACE_S + 0.1, self._mark, session)
        self.leave(session, client)

    def leave(self, key: str, client: Client) -> None:
        """As for any feed, but one with people at the door goes on."""
        feed = self._feeds.get(key)
        if feed is not None and feed.door:
            if client.pending is not None:
                client.pending.cancel()
            feed.clients.discard(client)
            return
        super().leave(key, client)

    def dismiss_participant(self, session: str, participant: str, code: int = GONE) -> None:
        """Ends whatever a participant has open, also at other processes: it was removed, or moved to another device."""
        self.elsewhere.tell("class-out", session, participant)
        self.dismiss_participant_here(session, participant, code)

    def dismiss_participant_here(
        self, session: str, participant: str, code: int = GONE, before: float = math.inf
    ) -> None:
        """Ends what a participant has open in this process, since before a moment of the loop's clock."""

        def end() -> None:
            feed = self._feeds.get(session)
            for client, shown in tuple(self._works.get(participant, {}).items()):
                shown.disconnect(client, code)
            for client in tuple(feed.connections.get(participant, ())) if feed is not None else ():
                if feed is not None and feed.entered.get(client, 0.0) < before:
                    self.disconnect(client, code)

        self._soon(end)

    def watch_work(self, participant: str, client: Client, shown: FeedHub[Any]) -> None:
        """A browser of a participant that looks at what its group runs: it is sent away with the participant."""
        self._loop = asyncio.get_running_loop()
        self._works.setdefault(participant, {})[client] = shown

    def unwatch_work(self, participant: str, client: Client) -> None:
        """It has gone."""
        looking = self._works.get(participant, {})
        looking.pop(client, None)
        if not looking:
            self._works.pop(participant, None)

    def watch_mirror(self, session: str, client: Client, shown: FeedHub[Any]) -> None:
        """A browser that looks at the mirrored comparison."""
        self._loop = asyncio.get_running_loop()
        self._mirrors.setdefault(session, {})[client] = shown

    def unwatch_mirror(self, session: str, client: Client) -> None:
        """It has gone."""
        looking = self._mirrors.get(session, {})
        looking.pop(client, None)
        if not looking:
            self._mirrors.pop(session, None)

    def end_mirrors(self, session: str) -> None:
        """Something else is shown now, or nothing: who looks at what was shown is sent away, at every process."""
        self.elsewhere.tell("class-mirrors", session)
        self.end_mirrors_here(session)

    def end_mirrors_here(self, session: str) -> None:
        """Who looks at this process."""

        def end() -> None:
            for client, shown in tuple(self._mirrors.get(session, {}).items()):
                shown.disconnect(client, GONE)

        self._soon(end)

    async def _run_feed(self, feed: ClassFeed) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(feed.dirty.wait(), HOSTS_S if feed.hosts is not None else None)
            try:
                if feed.hosts is not None:
                    await self._look_at_hosts(feed)
                if feed.dirty.is_set():
                    feed.dirty.clear()
                    feed.urgent.clear()
                    await self._pass(feed)
            except Exception:
                log.exception("session %s could not be read", feed.key)
                asyncio.get_running_loop().call_later(RETRY_S, feed.dirty.set)
            with suppress(TimeoutError):
                await asyncio.wait_for(feed.urgent.wait(), GATHER_S)

    async def _look_at_hosts(self, feed: ClassFeed) -> None:
        """A host starts and ends without a command: whose it is is told."""
        before, feed.hosts = feed.hosts or {}, await in_database(session_state.hosts_of, feed.key)
        changed = {group for group, state in feed.hosts.items() if before.get(group) != state}
        if changed:
            feed.private.update(await in_database(session_state.participants_in_groups, feed.key, changed))
            feed.dirty.set()

    async def _pass(self, feed: ClassFeed) -> None:
        now = time.time()
        unseen, feed.unseen = feed.unseen, set()
        private, feed.private = feed.private, set()
        elsewhere = self.elsewhere.known.get(feed.key, frozenset())
        state = await in_database(_read, feed.key, len(feed.present(now) | elsewhere))
        if state is None:
            self._close_feed(feed)
            return
        if state.hosts and feed.hosts is None:
            feed.hosts = {}
        if state.closed:  # what was open until then: terminals
            self.dismiss_participant(feed.key, feed.key)
        if state != feed.state:
            feed.state, feed.snapshot, feed.loaded = state, "", True
            self.encoded += 1
            self._broadcast(feed, self._snapshot(feed))
        for participant in private & feed.connections.keys():
            await self._tell_participant(feed, participant)
        feed.number += 1
        changed = encode(ClassChanged(feed.number)).decode()
        for client in feed.connections.get(INSTRUCTOR, ()):
            self._send_if_ready(client, changed)
        if unseen:
            await in_database(participants.seen, feed.key, unseen, now)
        await self._note_presence(feed, feed.present(now), elsewhere)

    async def _note_presence(self, feed: ClassFeed, here: set[str], elsewhere: frozenset[str]) -> None:
        """Writes down who has gone and who is back, so that the session can be told and replayed."""
        came = here - feed.noted
        left = {
            participant: feed.left_at.get(participant, time.time()) for participant in feed.noted - here - elsewhere
        }
        feed.noted = here
        if came or left:
            await in_database(participants.note_presence, feed.key, came, left, time.time())

    async def _tell_participant(self, feed: ClassFeed, participant: str, only: Client | None = None) -> None:
        state = await in_database(session_state.participant_state, feed.key, participant)
        if state is None:
            self.dismiss_participant_here(feed.key, participant)
            return
        text = encode(state).decode()
        for client in (only,) if only is not None else tuple(feed.connections.get(participant, ())):
            if not client.closing and client.pending is None:
                self._send(client, text)
            else:
                client.needs_snapshot = True

    def _encode_snapshot(self, feed: ClassFeed) -> str:
        return encode(feed.state).decode()

    def _on_sent(self, client: Client) -> None:
        missed = client.needs_snapshot
        super()._on_sent(client)
        if missed:
            for feed in self._feeds.values():
                feed.private.update(
                    participant for participant, clients in feed.connections.items() if client in clients
                )
                feed.dirty.set()


hub = ClassHub()
