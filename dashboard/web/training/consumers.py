"""Websockets of a class: read-only; for its instructor and its own participants."""

from __future__ import annotations

from typing import Any

from channels.consumer import AsyncConsumer
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer

from dashboard.store.training import participants
from dashboard.store.training import sessions as training_sessions
from dashboard.store.training.participants import ParticipantRef
from dashboard.web.experiments.hub import hub as experiments
from dashboard.web.feed_consumer import READ_ONLY
from dashboard.web.feed_hub import GONE, Client
from dashboard.web.http.session_connections import add_connection, remove_connection
from dashboard.web.http.shared_frames import EXTENSION
from dashboard.web.training.hub import INSTRUCTOR, hub
from dashboard.web.training.roles import tokens_of


def _who(scope: Any, identity: str) -> tuple[str, bool, str] | None:
    """The participant that asks (or ``INSTRUCTOR``), whether it is admitted, and what is mirrored; None for nobody of this
    class. Asks the database."""
    user = scope.get("user")
    if user is not None and user.is_authenticated:
        row = training_sessions.owned(identity, int(user.pk))
        if row is not None:
            return INSTRUCTOR, True, row.mirror_id or ""
    participant: ParticipantRef | None = scope.get("participant")
    if participant is None:  # somebody who is signed in and has a participant in another's class
        token = tokens_of(scope.get("session")).get(identity, "")
        participant = participants.by_token(identity, str(token))
    if participant is None or participant.session != identity:
        return None
    row = training_sessions.get(identity)
    return None if row is None else (participant.id, participant.admitted, row.mirror_id or "")


class ClassConsumer(AsyncConsumer):
    """What everybody may know of a class, and what is told to this participant alone."""

    client: Client | None = None
    participant = INSTRUCTOR
    hub = hub

    @property
    def identity(self) -> str:
        """The session in the address."""
        return str(self.scope["url_route"]["kwargs"]["identity"])

    async def websocket_connect(self, _message: dict[str, Any]) -> None:
        """Joins, or says that there is nothing here."""
        found = await database_sync_to_async(_who, thread_sensitive=False)(self.scope, self.identity)
        await self.send({"type": "websocket.accept"})
        if found is None:
            await self.send({"type": "websocket.close", "code": GONE})
            return
        self.participant, admitted, mirrored = found
        quick = self.scope.get("extensions", {}).get(EXTENSION, {}).get("write")
        await self.enter(quick, mirrored, admitted=admitted)
        add_connection(self)

    async def enter(self, quick: Any, _mirrored: str, *, admitted: bool) -> None:
        """Begins to listen."""
        self.client = await hub.enter(self.identity, self.participant, self.base_send, quick, admitted=admitted)

    async def websocket_receive(self, _message: dict[str, Any]) -> None:
        """Commands are POSTs: nothing is read here."""
        await self.send({"type": "websocket.close", "code": READ_ONLY})

    async def websocket_disconnect(self, _message: dict[str, Any]) -> None:
        """The browser has gone."""
        if self.client is not None:
            self.left(self.client)
            remove_connection(self)
        raise StopConsumer

    def left(self, client: Client) -> None:
        """Ends to listen."""
        hub.go(self.identity, self.participant, client)


class MirrorConsumer(ClassConsumer):
    """The experiment that the instructor shows to the class, and no other."""

    hub = experiments  # type: ignore[assignment]  # who dismisses this client
    shown = ""

    async def enter(self, quick: Any, mirrored: str, *, admitted: bool) -> None:
        """Begins to look."""
        if not mirrored or not admitted:
            await self.send({"type": "websocket.close", "code": GONE})
            return
        self.shown = mirrored
        self.client = await experiments.join(mirrored, self.base_send, quick)
        hub.watch_mirror(self.identity, self.client, experiments)

    def left(self, client: Client) -> None:
        """Ends to look."""
        hub.unwatch_mirror(self.identity, client)
        experiments.leave(self.shown, client)
