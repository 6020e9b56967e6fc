"""The read-only websocket that pages use to follow one feed, such as an experiment. It sends a snapshot, then all
changes."""

from collections.abc import Callable
from typing import Any

from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer

from dashboard.core.training.group_quota import RunKind
from dashboard.web.feed_hub import GONE, Client, FeedHub
from dashboard.web.http.database import to_db_thread
from dashboard.web.http.server.shared_frames import direct_calls
from dashboard.web.http.session_connections import add_connection, remove_connection
from dashboard.web.training.group_access import may_listen
from dashboard.web.training.hub import hub as sessions

READ_ONLY = 4405


class FeedConsumer(AsyncConsumer):
    """Base class of websocket consumers: adds the client to the feed that the URL names.

    ``exists`` returns whether an object with the feed's key exists. ``kind`` is the kind of run that the feed is about.
    ``participant`` is the id of the connected participant, empty for a signed-in user. Any message from the browser
    closes the connection.
    """

    client: Client | None = None
    hub: FeedHub[Any]
    exists: Callable[[str], bool]
    kind: RunKind
    participant = ""

    @property
    def key(self) -> str:
        """The key of the feed, from the URL: the id of an experiment or a measurement."""
        return str(self.scope["url_route"]["kwargs"].get("identity", ""))

    def _authorise(self) -> tuple[bool, str]:
        """Returns whether the feed exists and this user may follow it, and the participant's id (empty for a signed-in
        user).

        Queries the database.
        """
        return may_listen(self.kind, self.key, self.scope) if type(self).exists(self.key) else (False, "")

    async def websocket_connect(self, _message: dict[str, Any]) -> None:
        """Accepts the connection and joins the feed. If the user may not follow the feed, closes the connection with
        ``GONE``.

        The connection is accepted even then, because a page cannot read why a handshake was refused.
        """
        allowed, self.participant = await to_db_thread(self._authorise)
        await self.send({"type": "websocket.accept"})
        if not allowed:
            await self.send({"type": "websocket.close", "code": GONE})
            return
        self.client = await self.hub.join(self.key, self.base_send, *direct_calls(self.scope))
        if self.participant:
            sessions.link(self.participant, self.client, self.hub)
        add_connection(self)

    async def websocket_receive(self, _message: dict[str, Any]) -> None:
        """Closes the connection, because commands are sent as POST requests."""
        await self.send({"type": "websocket.close", "code": READ_ONLY})

    async def websocket_disconnect(self, _message: dict[str, Any]) -> None:
        """Removes the client from the feed. Channels calls this method when the connection has ended."""
        if self.client is not None:
            self.exit(self.client)
            remove_connection(self)
        raise StopConsumer

    def exit(self, client: Client) -> None:
        """Removes ``client`` from the feed and from the list of the participant's connections."""
        self.hub.leave(self.key, client)
        sessions.linked.remove(self.participant, client)
