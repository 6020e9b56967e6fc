"""What a web process knows of one session with clients: its connections, and what has been sent to them."""

import asyncio
from dataclasses import dataclass, field

from dashboard.core.training.messages import SessionState
from dashboard.core.training.session import is_present
from dashboard.store.training.session_versions import SessionVersion
from dashboard.web.feed_hub import Client, Feed

INSTRUCTOR = ""  # the key of the instructor among the participants


@dataclass(slots=True)
class SessionFeed(Feed):
    """One session. ``connections`` are the clients of each participant, ``left_at`` is when the last one was lost;
    ``waiting`` are the clients of participants that are not admitted, which receive nothing before their admission."""

    state: SessionState | None = None
    connections: dict[str, set[Client]] = field(default_factory=dict)
    left_at: dict[str, float] = field(default_factory=dict)
    waiting: set[Client] = field(default_factory=set)
    urgent: asyncio.Event = field(default_factory=asyncio.Event)
    #: Participants that connected since the last pass, and those that must be sent their own state, as they came.
    arrived: set[str] = field(default_factory=set)
    outdated: dict[str, None] = field(default_factory=dict)
    #: The number of the last ``ProgressChanged``.
    number: int = 0
    #: The participants that are recorded as present.
    recorded: set[str] = field(default_factory=set)
    #: When each client connected, on the loop's clock.
    connected_at: dict[Client, float] = field(default_factory=dict)
    #: What a search for lost wake-ups saw last, and when.
    version: SessionVersion = field(default_factory=SessionVersion)
    version_at: float = 0.0
    #: State and reason of each group's host, None without hosts; and the machines that do not respond.
    hosts: dict[str, tuple[str, str]] | None = None
    absent: frozenset[str] = frozenset()

    def present(self, now: float) -> set[str]:
        """The participants that are present."""
        known = (self.connections.keys() | self.left_at.keys()) - {INSTRUCTOR}
        return {key for key in known if is_present(len(self.connections.get(key, ())), self.left_at.get(key, 0.0), now)}
