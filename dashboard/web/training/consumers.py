"""The read-only websockets of a training session, for its instructor and its participants."""

from typing import Any

from dashboard.store.training import participants
from dashboard.store.training import sessions as training_sessions
from dashboard.store.training.participants import ParticipantRef
from dashboard.web.experiments.hub import hub as experiments
from dashboard.web.feed_consumer import FeedConsumer
from dashboard.web.feed_hub import GONE, Client, FeedHub
from dashboard.web.http.database import to_db_thread
from dashboard.web.http.server.shared_frames import direct_calls
from dashboard.web.http.session_connections import add_connection
from dashboard.web.training.hub import hub
from dashboard.web.training.linked_clients import mirror_key
from dashboard.web.training.roles import tokens_of
from dashboard.web.training.session_feed import INSTRUCTOR


def _authorise(scope: Any, identity: str) -> tuple[str, bool, str] | None:
    """Returns the participant's id, whether they are admitted, and the id of the shared experiment.

    For the instructor, the participant's id is ``INSTRUCTOR``. With the query ``own``, which participants' pages send,
    an instructor who has joined in the same browser counts as that participant. The experiment's id is empty if the
    instructor shows none, or if the session is over. Returns None if the client may not follow the session. Queries the
    database.
    """
    user = scope.get("user")
    is_own = scope.get("query_string", b"") == b"own"
    row = training_sessions.get(identity)
    if row is None:
        return None
    mirrored = "" if row.closed_at else row.mirror_id or ""
    if user is not None and not is_own and training_sessions.led_by(identity, user) is not None:
        return INSTRUCTOR, True, mirrored
    participant: ParticipantRef | None = scope.get("participant")
    if participant is None:  # a signed-in user may be a participant as well
        participant = participants.by_token(identity, str(tokens_of(scope.get("session")).get(identity, "")))
    if participant is None or participant.session != identity:
        return None
    return participant.id, participant.admitted, mirrored


class SessionConsumer(FeedConsumer):
    """Websocket that sends the state that all participants see, and the state of the connected participant."""

    hub: FeedHub[Any] = hub

    async def websocket_connect(self, _message: dict[str, Any]) -> None:
        """Accepts the connection and joins the feed. Closes it with ``GONE`` if the client may not follow the
        session."""
        found = await to_db_thread(_authorise, self.scope, self.key)
        await self.send({"type": "websocket.accept"})
        if found is None:
            await self.send({"type": "websocket.close", "code": GONE})
            return
        self.participant, admitted, mirrored = found
        await self.enter(mirrored, admitted=admitted)
        if self.client is not None:  # only then does websocket_disconnect remove it
            add_connection(self)

    async def enter(self, _mirrored: str, *, admitted: bool) -> None:
        """Joins the feed of the session."""
        calls = direct_calls(self.scope)
        self.client = await hub.enter(self.key, self.participant, self.base_send, *calls, admitted=admitted)

    def exit(self, client: Client) -> None:
        """Removes ``client`` from the feed of the session."""
        hub.exit(self.key, self.participant, client)


class MirrorConsumer(SessionConsumer):
    """Websocket that sends the changes of the experiment that the instructor shows to all participants."""

    hub = experiments
    mirrored = ""

    async def enter(self, mirrored: str, *, admitted: bool) -> None:
        """Joins the feed of the experiment ``mirrored``. Closes the connection with ``GONE`` if no experiment is shown,
        or if the participant is not admitted."""
        if not mirrored or not admitted:
            await self.send({"type": "websocket.close", "code": GONE})
            return
        self.mirrored = mirrored
        self.client = await experiments.join(mirrored, self.base_send, *direct_calls(self.scope))
        hub.link(mirror_key(self.key, mirrored), self.client, experiments)
        if self.participant != INSTRUCTOR:
            hub.link(self.participant, self.client, experiments)

    def exit(self, client: Client) -> None:
        """Removes ``client`` from the feed of the shared experiment."""
        hub.linked.remove(mirror_key(self.key, self.mirrored), client)
        hub.linked.remove(self.participant, client)
        experiments.leave(self.mirrored, client)
