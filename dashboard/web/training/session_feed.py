"""The feed of one training session in a web process: its connections, the state that they have received, and how it is
read."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

from dashboard.core.training.messages import SessionState
from dashboard.core.training.session import is_present
from dashboard.store.training import hosts as group_host_store
from dashboard.store.training import session_state
from dashboard.store.training import sessions as training_sessions
from dashboard.store.training.session_versions import SessionVersion
from dashboard.web.feed_hub import Client, Feed
from dashboard.web.training.hosts.host_requests import absent_machines
from dashboard.web.workshops.views import library

INSTRUCTOR = ""  # the key of the instructor among the participants


@dataclass(slots=True)
class SessionFeed(Feed):
    """The feed of a training session that has clients.

    ``state`` is the last state that was sent. ``connections`` are the clients of each participant, by the participant's
    id; ``INSTRUCTOR`` is the key of the instructor's clients. ``left_at`` contains when the last client disconnected,
    for each participant without clients. ``waiting`` are the clients of participants who are not admitted; they get
    only their own state. ``urgent`` is set if changes must be sent at once.
    """

    state: SessionState | None = None
    connections: dict[str, set[Client]] = field(default_factory=dict)
    left_at: dict[str, float] = field(default_factory=dict)
    waiting: set[Client] = field(default_factory=set)
    urgent: asyncio.Event = field(default_factory=asyncio.Event)
    #: ``arrived``: participants who have connected since the last pass. ``outdated``: participants to whom their own
    #: state must be sent, in order.
    arrived: set[str] = field(default_factory=set)
    outdated: dict[str, None] = field(default_factory=dict)
    #: The number of the last ``ProgressChanged``.
    number: int = 0
    #: The participants who are stored as present.
    recorded: set[str] = field(default_factory=set)
    #: When each client connected, by the loop's clock.
    connected_at: dict[Client, float] = field(default_factory=dict)
    #: The version of the session at the last check for lost wake-ups, and the time of the check by the loop's clock.
    version: SessionVersion = field(default_factory=SessionVersion)
    version_at: float = 0.0
    #: The state and reason of each group's host, None in a session without hosts; and the machines that do not respond.
    hosts: dict[str, tuple[str, str]] | None = None
    absent: frozenset[str] = frozenset()

    @property
    def all_clients(self) -> set[Client]:
        """The connected clients, including those of participants who wait for admission."""
        return self.clients | self.waiting

    def present(self, now: float) -> set[str]:
        """Returns the ids of the participants who are present in this process at the time ``now``."""
        known = (self.connections.keys() | self.left_at.keys()) - {INSTRUCTOR}
        return {key for key in known if is_present(len(self.connections.get(key, ())), self.left_at.get(key, 0.0), now)}


def read_state(session: str, present: Collection[str]) -> SessionState | None:
    """Returns the state that all participants see; None if the session was deleted. ``present`` are the ids of the
    participants who are connected.

    Raises LookupError if the session's workshop is missing or has errors, for example while its author edits it.
    Queries the database.
    """
    row = training_sessions.get(session)
    if row is None:
        return None
    workshop = library().get(row.workshop)
    if workshop is None:
        raise LookupError(f"The workshop “{row.workshop}” is missing or has errors.")
    return session_state.state_of(row, workshop, present)


def read_hosts(session: str) -> tuple[frozenset[str], dict[str, tuple[str, str]]]:
    """Returns the machines that do not respond, and the state of each group's host, with its reason, by group.
    Queries the database."""
    absent = absent_machines()
    return absent, group_host_store.states_of(session, absent)
