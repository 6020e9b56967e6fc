"""Records whether an engine answers, and since when. The end of the event stream shows at once that an engine has
ended; a ping shows that it hangs."""

from collections.abc import Callable


class EngineWatch:
    """Whether an engine answers now (``answers``), since when (``since``), and the reason if it does not
    (``problem``)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.answers = True
        self.since = clock()
        self.problem = ""

    def lost(self, reason: str) -> bool:
        """Records that the engine does not answer, and the reason. Returns whether it answered until now."""
        changed = self.answers
        if changed:
            self.since = self._clock()
        self.answers, self.problem = False, reason
        return changed

    def back(self) -> None:
        """Records that the engine answers."""
        if not self.answers:
            self.since = self._clock()
        self.answers, self.problem = True, ""
