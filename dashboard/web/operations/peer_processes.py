"""Other web processes as the hub of training sessions uses them: wake-ups to them, and participants connected to
them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field


def _ignore(*_wakeup: str) -> None:
    """A lone process has no peers."""


def _no_participants(_session: str) -> frozenset[str]:
    return frozenset()


@dataclass(slots=True)
class PeerProcesses:
    """A lone process has no peers. ``known`` are the participants connected to peers at the last check, by session;
    ``read`` asks the database, for threads that need a session without clients in this process."""

    tell: Callable[..., None] = _ignore
    read: Callable[[str], frozenset[str]] = _no_participants
    known: dict[str, frozenset[str]] = field(default_factory=dict)

    def participants(self, session: str) -> frozenset[str]:
        """The participants of a session that are connected to other processes."""
        known = self.known.get(session)
        return known if known is not None else self.read(session)


def in_loop() -> bool:
    """Whether the current thread runs an event loop, which must not use the database."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
