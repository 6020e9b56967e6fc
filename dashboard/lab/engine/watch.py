"""Records whether an engine answers, and since when. The end of the event stream shows at once that an engine has
ended; a ping shows that it hangs."""

from collections.abc import Callable


class EngineWatch:
    """Whether an engine answers now (``answers``), and since when (``since``)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.answers = True
        self.since = clock()

    def lost(self) -> None:
        """Records that the engine does not answer."""
        if self.answers:
            self.since = self._clock()
        self.answers = False

    def back(self) -> None:
        """Records that the engine answers."""
        if not self.answers:
            self.since = self._clock()
        self.answers = True
