"""Websockets: read-only, first everything, then what is new."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from channels.consumer import AsyncConsumer
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from django.contrib.sessions.models import Session
from django.utils import timezone

from dashboard.core.training.group_quota import WorkKind
from dashboard.store import experiments as experiment_store
from dashboard.store import measurements as measurement_store
from dashboard.web.experiments.hub import GONE, TRY_LATER, Client, Hub
from dashboard.web.experiments.hub import hub as experiments
from dashboard.web.http.shared_frames import EXTENSION
from dashboard.web.measurements.hub import hub as runs
from dashboard.web.training.group_access import may_listen
from dashboard.web.training.hub import hub as classes

log = logging.getLogger(__name__)
READ_ONLY = 4405
SIGNED_OUT = 4403
#: A session may end in another process, or by its age: so often it is looked whether those with connections are there.
LOOK_S = 10.0


class Listening(Protocol):
    """A connection that can be ended."""

    scope: Any
    client: Client | None
    hub: Any


#: The open connections of each session in this process.
_of_session: dict[str, set[Listening]] = {}
_looking: set[asyncio.Task[None]] = set()


def _session_of(one: Listening) -> str:
    return str(one.scope["session"].session_key or "")


def listed(one: Listening) -> None:
    """A connection is open: it ends with its session."""
    _of_session.setdefault(_session_of(one), set()).add(one)
    if not any(not task.done() for task in _looking):
        _looking.clear()
        _looking.add(asyncio.get_running_loop().create_task(_look_after_sessions(), name="sessions-look"))


def end_of(one: Listening) -> None:
    """It is open no longer."""
    key = _session_of(one)
    others = _of_session.get(key, set())
    others.discard(one)
    if not others:
        _of_session.pop(key, None)


def _end(one: Listening, code: int) -> None:
    if one.client is not None and not one.client.closing:
        one.hub.dismiss(one.client, code)


def end_session(key: str) -> None:
    """Closes every connection of a session that has ended: its pages say that they are signed out."""
    for one in tuple(_of_session.get(key, ())):
        _end(one, SIGNED_OUT)


def _ended(keys: Sequence[str]) -> set[str]:
    """Those of these sessions that are not there any more."""
    there = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    return set(keys) - set(there.values_list("session_key", flat=True))


async def end_ended_sessions() -> None:
    """Closes the connections of sessions that are not there any more.

    Who was signed in is so no longer. A seat's session may only have got a new key, since its browser took another seat
    (``seats.hold``): it is told to come again.
    """
    for key in await database_sync_to_async(_ended, thread_sensitive=False)(tuple(filter(None, _of_session))):
        for one in tuple(_of_session.get(key, ())):
            user = one.scope.get("user")
            _end(one, SIGNED_OUT if user is not None and user.is_authenticated else TRY_LATER)


async def _look_after_sessions() -> None:
    """As long as there are connections."""
    while _of_session:
        await asyncio.sleep(LOOK_S)
        try:
            await end_ended_sessions()
        except Exception:
            log.exception("it is not known which sessions have ended; the next look tells")


class FeedConsumer(AsyncConsumer):
    """Hands the connection to a hub; whatever a browser sends ends it. ``seat`` is the one that listens, where it is a
    seat of a class."""

    client: Client | None = None
    hub: Hub
    exists: Callable[[str], bool]
    kind: WorkKind
    seat = ""

    @property
    def feed(self) -> str:
        """What the address names."""
        return str(self.scope["url_route"]["kwargs"].get("identity", ""))

    def _look(self) -> tuple[bool, str]:
        """Whether there is such a thing for whoever asks, and the seat that asks."""
        return may_listen(self.kind, self.feed, self.scope) if type(self).exists(self.feed) else (False, "")

    async def websocket_connect(self, _message: dict[str, Any]) -> None:
        """Joins what stands in the address; where there is none, a code says so.

        A handshake that is refused has no code that a page could read: it would try again for ever.
        """
        found, self.seat = await database_sync_to_async(self._look, thread_sensitive=False)()
        await self.send({"type": "websocket.accept"})
        if not found:
            await self.send({"type": "websocket.close", "code": GONE})
            return
        quick = self.scope.get("extensions", {}).get(EXTENSION, {}).get("write")
        self.client = await self.hub.join(self.feed, self.base_send, quick)
        if self.seat:
            classes.watch_work(self.seat, self.client, self.hub)
        listed(self)

    async def websocket_receive(self, _message: dict[str, Any]) -> None:
        """Commands are POSTs: nothing is read here."""
        await self.send({"type": "websocket.close", "code": READ_ONLY})

    async def websocket_disconnect(self, _message: dict[str, Any]) -> None:
        """The browser has gone."""
        if self.client is not None:
            self.hub.leave(self.feed, self.client)
            classes.unwatch_work(self.seat, self.client)
            end_of(self)
        raise StopConsumer


class ExperimentConsumer(FeedConsumer):
    """A snapshot of an experiment, then patches."""

    hub = experiments
    exists = staticmethod(experiment_store.exists)
    kind = WorkKind.EXPERIMENT


class MeasurementConsumer(FeedConsumer):
    """A measurement as it is, then its blocks."""

    hub = runs
    exists = staticmethod(measurement_store.exists)
    kind = WorkKind.MEASUREMENT
