"""Other web processes, as the hub of classes knows them: whom to tell, and who sits there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field


def _nobody(*_wake: str) -> None:
    """One process alone."""


def _none(_session: str) -> frozenset[str]:
    return frozenset()


@dataclass(slots=True)
class Elsewhere:
    """One process alone knows nobody. ``known`` is what was seen last, by session; ``ask`` looks into the database,
    for who asks in a thread about a session that nobody follows here."""

    tell: Callable[..., None] = _nobody
    ask: Callable[[str], frozenset[str]] = _none
    known: dict[str, frozenset[str]] = field(default_factory=dict)

    def participants(self, session: str) -> frozenset[str]:
        """The participants whose browsers hang on other processes."""
        found = self.known.get(session)
        return found if found is not None else self.ask(session)


def in_loop() -> bool:
    """Whether this is an event loop's thread, where the database may not be asked."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
