"""Whether an engine answers, and since when: its event stream tells at once, a question finds one that hangs."""

from __future__ import annotations

from collections.abc import Callable


class EngineWatch:
    """What is known now. ``since``: since when it answers, or does not; ``problem`` says why not."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.answers = True
        self.since = clock()
        self.problem = ""

    def lost(self, why: str) -> bool:
        """It does not answer. True if that is news."""
        news = self.answers
        if news:
            self.since = self._clock()
        self.answers, self.problem = False, why
        return news

    def back(self) -> None:
        """It answers."""
        if not self.answers:
            self.since = self._clock()
        self.answers, self.problem = True, ""
