"""Sends live updates to the websocket clients of training sessions.

The state for all participants is encoded once. Each participant also gets a small message with their own state. Changes
by the instructor are sent at once; presence and answers are collected for ``COLLECT_S`` seconds.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from dashboard.core.experiments.messages import encode
from dashboard.core.training.host_plan import HostStage
from dashboard.core.training.messages import ProgressChanged
from dashboard.core.training.session import GRACE_S, number_of_group
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.training import participants, session_state
from dashboard.web.feed_hub import GONE, RETRY_S, Abort, Client, FeedHub, Send, WriteNow
from dashboard.web.http.database import to_db_thread
from dashboard.web.operations.peer_processes import PeerProcesses
from dashboard.web.training.hosts.host_requests import place_waiting
from dashboard.web.training.linked_clients import LinkedClients
from dashboard.web.training.session_feed import INSTRUCTOR, SessionFeed, read_hosts, read_state

log = logging.getLogger(__name__)
COLLECT_S = 0.5
#: The number of participants' own states that are read and sent at a time. In between, an urgent change for all
#: participants is sent first.
OWN_STATES = 20
HOST_CHECK_S = 1.0


class SessionHub(FeedHub[SessionFeed]):
    """The feeds of training sessions, by session id. ``peers`` are the other web processes. ``linked`` are connections
    to close when a participant is disconnected, or when a session or a shared comparison ends."""

    def __init__(self) -> None:
        super().__init__()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.linked = LinkedClients()
        self.peers = PeerProcesses()

    def _new_feed(self, key: str) -> SessionFeed:
        return SessionFeed(key)

    def _in_loop(self, call: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)

    def wake(self, key: str) -> None:
        """Sends the changes of a session to its clients, in all web processes, within ``COLLECT_S`` seconds. May
        be called from any thread."""
        self.peers.tell("class", key)
        self._in_loop(lambda: self.mark(key))

    def tell(self, session: str, *changed: str) -> None:
        """Sends the changes of a session to its clients at once, in all web processes. ``changed``: the ids of
        participants who also get their own state. May be called from any thread."""
        self.peers.tell("class-now", session, *changed)
        self._in_loop(lambda: self.mark(session, *changed, urgent=True))

    def mark(self, session: str, *changed: str, urgent: bool = False) -> None:
        """Marks the feed of a session as dirty in this process. ``changed``: the ids of participants who also get their
        own state. If ``urgent`` is true, the changes are sent at once. Call it in the event loop."""
        feed = self._feeds.get(session)
        if feed is not None:
            feed.outdated.update(dict.fromkeys(changed))
            feed.dirty.set()
            if urgent:
                feed.urgent.set()

    def feeds(self) -> list[SessionFeed]:
        """Returns the feeds of the sessions that have clients in this process."""
        return list(self._feeds.values())

    def present(self, session: str) -> set[str]:
        """Returns the ids of a session's participants who are present in any web process."""
        feed = self._feeds.get(session)
        here = feed.present(shared_clock()) if feed is not None else set()
        return here | self.peers.participants(session)

    def number_present(self, now: float) -> int:
        """Returns the number of participants, of all sessions, who are present in this process at the time ``now``."""
        return sum(len(feed.present(now)) for feed in self._feeds.values())

    async def enter(
        self, session: str, participant: str, send: Send, write: WriteNow | None, abort: Abort | None, *, admitted: bool
    ) -> Client:
        """Adds a client of ``participant``, an id or ``INSTRUCTOR``, to the feed of a session, and returns it. A
        participant who is not ``admitted`` gets only their own state."""
        self._loop = asyncio.get_running_loop()
        feed = self._open_feed(session)
        if admitted:
            client = await self.join(session, send, write, abort)
        else:
            client = Client(send, write, abort)
            feed.waiting.add(client)
        feed.connections.setdefault(participant, set()).add(client)
        feed.connected_at[client] = self._loop.time()
        feed.left_at.pop(participant, None)
        if participant != INSTRUCTOR:
            feed.arrived.add(participant)
            try:
                await self._send_own_states(feed, [participant], client)
            except BaseException:
                self.exit(session, participant, client)  # the connection ends, but Channels reports no disconnect
                raise
        feed.dirty.set()
        return client

    def exit(self, session: str, participant: str, client: Client) -> None:
        """Removes a client. A participant without clients still counts as present for ``GRACE_S`` seconds."""
        feed = self._feeds.get(session)
        if feed is not None:
            feed.waiting.discard(client)
            feed.connected_at.pop(client, None)
            connections = feed.connections.get(participant, set())
            connections.discard(client)
            if not connections:
                feed.connections.pop(participant, None)
                feed.left_at[participant] = shared_clock()
                asyncio.get_running_loop().call_later(GRACE_S + 0.1, self.mark, session)
        self.leave(session, client)

    def link(self, key: str, client: Client, hub: FeedHub[Any]) -> None:
        """Registers a client to be disconnected together with a participant, a session or a shared comparison.

        ``key`` is the id of the participant or session, or a ``mirror_key``. A participant is disconnected when they
        are removed or move to another device. ``hub`` is the client's hub.
        """
        self._loop = asyncio.get_running_loop()
        self.linked.add(key, client, hub)

    def disconnect_participant(self, session: str, participant: str) -> None:
        """Closes all connections of a participant, in all web processes. Call it after removing the participant or
        after a move to another device."""
        self.peers.tell("class-out", session, participant)
        self.disconnect_here(session, participant)

    def disconnect_here(self, session: str, participant: str, before: float = math.inf) -> None:
        """Closes connections of a participant in this process: all that ``link`` has registered, and the connections to
        the session that are older than ``before`` (loop time)."""

        def disconnect() -> None:
            self.linked.disconnect(participant)
            feed = self._feeds.get(session)
            for client in tuple(feed.connections.get(participant, ())) if feed is not None else ():
                if feed is not None and feed.connected_at.get(client, 0.0) < before:
                    self.disconnect(client, GONE)

        self._in_loop(disconnect)

    def end_mirrors(self, session: str) -> None:
        """Closes all connections to the session's shared comparison, in all web processes. Call it after the comparison
        was replaced or ended."""
        self.peers.tell("class-mirrors", session)
        self.end_mirrors_here(session)

    def end_mirrors_here(self, session: str, current: str = "") -> None:
        """Closes the connections to the session's shared comparisons in this process. Connections to the experiment
        ``current`` stay open."""
        self._in_loop(lambda: self.linked.end_mirrors(session, current))

    async def _run_feed(self, feed: SessionFeed) -> None:
        failed = False
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(feed.dirty.wait(), HOST_CHECK_S if feed.hosts is not None else None)
            try:
                if feed.hosts is not None:
                    await self._check_hosts(feed)
                if feed.dirty.is_set():
                    feed.dirty.clear()
                    feed.urgent.clear()
                    await self._pass(feed)
                    failed = False
            except Exception:
                if not failed:  # the cause may last, for example until an error in the workshop is corrected
                    log.exception("session %s could not be read; trying again", feed.key)
                failed = True
                asyncio.get_running_loop().call_later(RETRY_S, feed.dirty.set)
            with suppress(TimeoutError):
                await asyncio.wait_for(feed.urgent.wait(), COLLECT_S)

    async def _check_hosts(self, feed: SessionFeed) -> None:
        """Reads the states of the groups' hosts, because hosts also start and stop without a command.

        Marks the participants whose host has changed, so that they get their own state. Assigns machines to hosts that
        wait for one.
        """
        before = feed.hosts or {}
        feed.absent, hosts = await to_db_thread(read_hosts, feed.key)
        feed.hosts = hosts
        if any(state == HostStage.UNPLACED for state, _reason in hosts.values()):
            await place_waiting()
        groups = {number_of_group(group) for group, state in hosts.items() if before.get(group) != state}
        if groups:
            found = await to_db_thread(session_state.participants_in_groups, feed.key, groups)
            feed.outdated.update(dict.fromkeys(found))
            feed.dirty.set()

    async def _pass(self, feed: SessionFeed) -> None:
        arrived, outdated, feed.arrived, feed.outdated = feed.arrived, feed.outdated, set(), {}
        try:
            await self._send_and_record(feed, arrived, outdated)
        except Exception:
            feed.arrived |= arrived
            feed.outdated = outdated | feed.outdated
            raise

    async def _send_and_record(self, feed: SessionFeed, arrived: set[str], outdated: Collection[str]) -> None:
        now = shared_clock()
        on_peers = self.peers.participants(feed.key)
        state = await to_db_thread(read_state, feed.key, feed.present(now) | on_peers)
        if state is None:
            self._close_feed(feed)
            return
        if state.hosts and feed.hosts is None:
            feed.hosts = {}
        if state.closed:
            self.disconnect_participant(feed.key, feed.key)  # closes the terminals: they are linked to the session's id
        if state != feed.state:
            if state.closed:  # those who wait for admission do not get the state of the session
                waiting = [key for key, clients in feed.connections.items() if clients & feed.waiting]
                feed.outdated.update(dict.fromkeys(waiting))
                feed.dirty.set()
            feed.state, feed.snapshot, feed.loaded = state, "", True
            self.encoded += 1
            self._broadcast(feed, self._snapshot(feed))
        own = [participant for participant in outdated if participant in feed.connections]
        for first in range(0, len(own), OWN_STATES):
            if first and feed.urgent.is_set():
                feed.outdated = dict.fromkeys(own[first:]) | feed.outdated  # sent first in the next pass
                break
            await self._send_own_states(feed, own[first : first + OWN_STATES])
        feed.number += 1
        changed = encode(ProgressChanged(feed.number)).decode()
        for client in feed.connections.get(INSTRUCTOR, ()):
            self._send_if_ready(client, changed)
        if arrived:
            await to_db_thread(participants.mark_seen, feed.key, arrived, now)
        await self._record_presence(feed, feed.present(now), on_peers)

    async def _record_presence(self, feed: SessionFeed, here: set[str], on_peers: frozenset[str]) -> None:
        """Stores which participants have arrived and left since the last call, for the results and the replay.
        ``here``: the participants present in this process; ``on_peers``: those present in other web processes."""
        came = here - feed.recorded
        left = {key: feed.left_at.get(key, shared_clock()) for key in feed.recorded - here - on_peers}
        if came or left:
            await to_db_thread(participants.note_presence, feed.key, came, left, shared_clock())
        feed.recorded = here

    async def _send_own_states(self, feed: SessionFeed, keys: Collection[str], only: Client | None = None) -> None:
        states = await to_db_thread(session_state.participant_states, feed.key, keys, feed.absent)
        for participant in keys:
            if (state := states.get(participant)) is None:
                self.disconnect_here(feed.key, participant)
                continue
            text = encode(state).decode()
            for client in (only,) if only is not None else tuple(feed.connections.get(participant, ())):
                if not client.closing and client.pending is None:
                    self._send(client, text)
                else:
                    client.needs_snapshot = True

    def _encode_snapshot(self, feed: SessionFeed) -> str:
        return encode(feed.state).decode()

    def _on_sent(self, client: Client) -> None:
        missed = client.needs_snapshot
        super()._on_sent(client)
        if missed:
            for feed in self._feeds.values():
                keys = [key for key, clients in feed.connections.items() if client in clients and key != INSTRUCTOR]
                feed.outdated.update(dict.fromkeys(keys))
                feed.dirty.set()


hub = SessionHub()
