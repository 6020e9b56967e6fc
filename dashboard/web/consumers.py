"""The websocket of an experiment: read-only, a snapshot and then patches."""

from __future__ import annotations

from typing import Any

from channels.consumer import AsyncConsumer
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer

from dashboard.lab import store
from dashboard.web.hub import GONE, Client, hub
from dashboard.web.wire import EXTENSION

READ_ONLY = 4405


class ExperimentConsumer(AsyncConsumer):
    """Hands the connection to the hub; whatever a browser sends ends it."""

    client: Client | None = None

    async def websocket_connect(self, _message: dict[str, Any]) -> None:
        """Joins the experiment whose number stands in the address; where there is none, a code says so.

        A handshake that is refused has no code that a page could read: it would try again for ever.
        """
        experiment = self.scope["url_route"]["kwargs"].get("experiment", "")
        record = await database_sync_to_async(store.load, thread_sensitive=False)(experiment)
        await self.send({"type": "websocket.accept"})
        if record is None:
            await self.send({"type": "websocket.close", "code": GONE})
            return
        quick = self.scope.get("extensions", {}).get(EXTENSION, {}).get("write")
        self.client = await hub.join(experiment, self.base_send, quick)

    async def websocket_receive(self, _message: dict[str, Any]) -> None:
        """Commands are POSTs: nothing is read here."""
        await self.send({"type": "websocket.close", "code": READ_ONLY})

    async def websocket_disconnect(self, _message: dict[str, Any]) -> None:
        """The browser has gone."""
        if self.client is not None:
            hub.leave(self.scope["url_route"]["kwargs"]["experiment"], self.client)
        raise StopConsumer
