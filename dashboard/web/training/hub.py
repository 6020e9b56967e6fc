"""Who listens to a class: everybody gets the same text, encoded once; each seat a small one of its own.

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

from channels.db import database_sync_to_async

from dashboard.core.experiments.messages import encode
from dashboard.core.training.messages import ClassChanged, SessionState
from dashboard.core.training.session import GRACE_S, is_present
from dashboard.store.training import participants, session_state
from dashboard.store.training import sessions as training_sessions
from dashboard.store.training.session_versions import Marks
from dashboard.web.experiments.hub import GONE, RETRY_S, Client, Feed, Hub, Send, WriteNow
from dashboard.web.operations.peer_processes import Elsewhere
from dashboard.web.workshops.views import library

log = logging.getLogger(__name__)
GATHER_S = 0.5
HOSTS_S = 1.0
#: The instructor's name among the seats.
INSTRUCTOR = ""


@dataclass(slots=True)
class ClassFeed(Feed):
    """One class. ``of_seat`` are the connections of each seat; ``left_at`` is when the last one was lost; ``door`` are
    those who wait to be admitted, which are told nothing but that."""

    state: SessionState | None = None
    of_seat: dict[str, set[Client]] = field(default_factory=dict)
    left_at: dict[str, float] = field(default_factory=dict)
    door: set[Client] = field(default_factory=set)
    urgent: asyncio.Event = field(default_factory=asyncio.Event)
    unseen: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)
    number: int = 0
    #: The seats of which it is written down that they are here.
    noted: set[str] = field(default_factory=set)
    #: When each connection began, by the loop's clock.
    entered: dict[Client, float] = field(default_factory=dict)
    #: The class as it was seen last by who looks for lost wake-ups, and when.
    marks: Marks = field(default_factory=Marks)
    marked_at: float = 0.0
    #: By group, where there are private hosts.
    hosts: dict[int, tuple[str, str]] | None = None

    def present(self, now: float) -> set[str]:
        """The seats that are there."""
        known = self.of_seat.keys() | self.left_at.keys()
        return {
            seat
            for seat in known
            if seat != INSTRUCTOR and is_present(len(self.of_seat.get(seat, ())), self.left_at.get(seat, 0.0), now)
        }


def _read(session: str, present: int) -> SessionState | None:
    row = training_sessions.get(session)
    workshop = library().get(row.workshop) if row is not None else None
    return session_state.state_of(row, workshop, present) if row is not None and workshop is not None else None


class ClassHub(Hub):
    """Feeds by session."""

    def __init__(self) -> None:
        super().__init__()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._mirrors: dict[str, dict[Client, Hub]] = {}
        self._works: dict[str, dict[Client, Hub]] = {}
        self.elsewhere = Elsewhere()

    def _new_feed(self, experiment: str) -> Feed:
        return ClassFeed(experiment)

    def _feed(self, session: str) -> ClassFeed | None:
        feed = self._feeds.get(session)
        return feed if isinstance(feed, ClassFeed) else None

    def _soon(self, call: Callable[[], None]) -> None:
        """In the loop of the connections, whoever asks."""
        if self._loop is None or self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(call)

    def wake(self, experiment: str) -> None:
        """Something is new that can wait for what else is."""
        self.elsewhere.tell("class", experiment)
        self._soon(lambda: self._mark(experiment))

    def tell(self, session: str, *seats_of: str) -> None:
        """Something is new that is told at once; these seats are also told what is theirs."""
        self.elsewhere.tell("class-now", session, *seats_of)
        self._soon(lambda: self._mark(session, *seats_of, urgent=True))

    def heard(self, session: str, *seats_of: str, urgent: bool = False) -> None:
        """The same, said by another process. In the loop of the connections."""
        self._mark(session, *seats_of, urgent=urgent)

    def feeds(self) -> list[ClassFeed]:
        """The classes that browsers follow."""
        return [feed for feed in self._feeds.values() if isinstance(feed, ClassFeed)]

    def _mark(self, session: str, *seats_of: str, urgent: bool = False) -> None:
        feed = self._feed(session)
        if feed is not None:
            feed.private.update(seats_of)
            feed.dirty.set()
            if urgent:
                feed.urgent.set()

    def present(self, session: str) -> dict[str, bool]:
        """Who is there now."""
        feed = self._feed(session)
        here = feed.present(time.time()) if feed is not None else set()
        return dict.fromkeys(here | self.elsewhere.seats(session), True)

    def number_present(self, now: float) -> int:
        """How many seats of all classes are there."""
        return sum(len(feed.present(now)) for feed in self._feeds.values() if isinstance(feed, ClassFeed))

    async def enter(self, session: str, seat: str, send: Send, write: WriteNow | None, *, admitted: bool) -> Client:
        """A browser of a seat, or of the instructor (``INSTRUCTOR``)."""
        self._loop = asyncio.get_running_loop()
        feed = self._followed(session)
        if not isinstance(feed, ClassFeed):
            raise TypeError("a class has a feed of its own")
        if admitted:
            client = await self.join(session, send, write)
        else:
            client = Client(send, write)
            feed.door.add(client)
        feed.of_seat.setdefault(seat, set()).add(client)
        feed.entered[client] = self._loop.time()
        feed.left_at.pop(seat, None)
        if seat != INSTRUCTOR:
            feed.unseen.add(seat)
            await self._tell_seat(feed, seat, client)
        feed.dirty.set()
        return client

    def go(self, session: str, seat: str, client: Client) -> None:
        """A browser has gone; its seat is there for a moment yet."""
        feed = self._feed(session)
        if feed is not None:
            feed.door.discard(client)
            feed.entered.pop(client, None)
            of_seat = feed.of_seat.get(seat, set())
            of_seat.discard(client)
            if not of_seat:
                feed.of_seat.pop(seat, None)
                feed.left_at[seat] = time.time()
                asyncio.get_running_loop().call_later(GRACE_S + 0.1, self._mark, session)
        self.leave(session, client)

    def leave(self, experiment: str, client: Client) -> None:
        """As for any feed, but one with people at the door goes on."""
        feed = self._feed(experiment)
        if feed is not None and feed.door:
            if client.pending is not None:
                client.pending.cancel()
            feed.clients.discard(client)
            return
        super().leave(experiment, client)

    def dismiss_seat(self, session: str, seat: str, code: int = GONE) -> None:
        """Ends whatever a seat has open, also at other processes: it was removed, or moved to another device."""
        self.elsewhere.tell("class-out", session, seat)
        self.dismiss_seat_here(session, seat, code)

    def dismiss_seat_here(self, session: str, seat: str, code: int = GONE, before: float = math.inf) -> None:
        """Ends what a seat has open in this process, since before a moment of the loop's clock."""

        def end() -> None:
            feed = self._feed(session)
            for client, shown in tuple(self._works.get(seat, {}).items()):
                shown.dismiss(client, code)
            for client in tuple(feed.of_seat.get(seat, ())) if feed is not None else ():
                if feed is not None and feed.entered.get(client, 0.0) < before:
                    self.dismiss(client, code)

        self._soon(end)

    def watch_work(self, seat: str, client: Client, shown: Hub) -> None:
        """A browser of a seat that looks at what its group runs: it is sent away with the seat."""
        self._loop = asyncio.get_running_loop()
        self._works.setdefault(seat, {})[client] = shown

    def unwatch_work(self, seat: str, client: Client) -> None:
        """It has gone."""
        looking = self._works.get(seat, {})
        looking.pop(client, None)
        if not looking:
            self._works.pop(seat, None)

    def watch_mirror(self, session: str, client: Client, shown: Hub) -> None:
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
                shown.dismiss(client, GONE)

        self._soon(end)

    async def _follow(self, feed: Feed) -> None:
        if not isinstance(feed, ClassFeed):
            raise TypeError("a class has a feed of its own")
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
                log.exception("session %s could not be read", feed.experiment)
                asyncio.get_running_loop().call_later(RETRY_S, feed.dirty.set)
            with suppress(TimeoutError):
                await asyncio.wait_for(feed.urgent.wait(), GATHER_S)

    async def _look_at_hosts(self, feed: ClassFeed) -> None:
        """A host starts and ends without a command: whose it is is told."""
        read = database_sync_to_async(session_state.hosts_of, thread_sensitive=False)
        before, feed.hosts = feed.hosts or {}, await read(feed.experiment)
        changed = {group for group, state in feed.hosts.items() if before.get(group) != state}
        if changed:
            whose = database_sync_to_async(session_state.seats_of_groups, thread_sensitive=False)
            feed.private.update(await whose(feed.experiment, changed))
            feed.dirty.set()

    async def _pass(self, feed: ClassFeed) -> None:
        now = time.time()
        unseen, feed.unseen = feed.unseen, set()
        private, feed.private = feed.private, set()
        read = database_sync_to_async(_read, thread_sensitive=False)
        elsewhere = self.elsewhere.known.get(feed.experiment, frozenset())
        state = await read(feed.experiment, len(feed.present(now) | elsewhere))
        if state is None:
            self._end(feed)
            return
        if state.hosts and feed.hosts is None:
            feed.hosts = {}
        if state.closed:  # what was open until then: terminals
            self.dismiss_seat(feed.experiment, feed.experiment)
        if state != feed.state:
            feed.state, feed.snapshot = state, None
            self.encoded += 1
            text = self._snapshot(feed)
            first, feed.loaded = not feed.loaded, True
            for client in list(feed.clients):
                if first or (client.behind and client.pending is None):
                    self._deliver(client, text)
                else:
                    self._update(client, text)
        for seat in private & feed.of_seat.keys():
            await self._tell_seat(feed, seat)
        feed.number += 1
        changed = encode(ClassChanged(feed.number)).decode()
        for client in feed.of_seat.get(INSTRUCTOR, ()):
            self._update(client, changed)
        if unseen:
            await database_sync_to_async(participants.seen, thread_sensitive=False)(feed.experiment, unseen, now)
        await self._note_presence(feed, feed.present(now), elsewhere)

    async def _note_presence(self, feed: ClassFeed, here: set[str], elsewhere: frozenset[str]) -> None:
        """Writes down who has gone and who is back, so that the session can be told and replayed."""
        came = here - feed.noted
        left = {seat: feed.left_at.get(seat, time.time()) for seat in feed.noted - here - elsewhere}
        feed.noted = here
        if came or left:
            note = database_sync_to_async(participants.note_presence, thread_sensitive=False)
            await note(feed.experiment, came, left, time.time())

    async def _tell_seat(self, feed: ClassFeed, seat: str, only: Client | None = None) -> None:
        read = database_sync_to_async(session_state.seat_state, thread_sensitive=False)
        state = await read(feed.experiment, seat)
        if state is None:
            self.dismiss_seat_here(feed.experiment, seat)
            return
        text = encode(state).decode()
        for client in (only,) if only is not None else tuple(feed.of_seat.get(seat, ())):
            if not client.closing and client.pending is None:
                self._deliver(client, text)
            else:
                client.behind = True

    def _snapshot(self, feed: Feed) -> str:
        if feed.snapshot is None and isinstance(feed, ClassFeed) and feed.state is not None:
            feed.snapshot = encode(feed.state).decode()
        return feed.snapshot or ""

    def _came_through(self, client: Client) -> None:
        was_behind = client.behind
        super()._came_through(client)
        if was_behind:
            for feed in self._feeds.values():
                if isinstance(feed, ClassFeed):
                    feed.private.update(seat for seat, clients in feed.of_seat.items() if client in clients)
                    feed.dirty.set()


hub = ClassHub()
