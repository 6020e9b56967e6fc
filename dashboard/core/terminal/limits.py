"""The terminal of a participant in a class: who may open one, how large it is, when it ends, what goes through. No clock."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

COLS = (20, 400)
ROWS = (5, 200)
USUAL = (80, 24)

#: What is kept of a terminal for who comes back, and how much is handed out at once.
SCROLLBACK_BYTES = 256 << 10
PIECE_BYTES = 16 << 10
#: So much may be on the way to a browser that has not said that it has drawn it.
WINDOW_BYTES = 128 << 10
#: A browser that draws nothing for so long is sent away; it comes back and goes on where it stopped.
STUCK_S = 20.0
#: A window that has not asked for anything for so long is not there any more.
LOST_S = 60.0

#: One message of what is typed or pasted, and what may be on the way to the shell.
TYPED_BYTES = 4 << 10
TYPED_WINDOW_BYTES = 64 << 10

TABS_MOST = 6
SHELLS_MOST = 400
#: A shell at which nobody looks, and one into which nobody types, ends.
DETACHED_S = 15 * 60.0
IDLE_S = 45 * 60.0

#: A recording of one participant in one step, compressed.
RECORD_BYTES = 256 << 10
RECORD_PIECES = 400


@dataclass(frozen=True, slots=True)
class Rate:
    """So much at once, and so much more a second."""

    burst: float
    per_s: float


TYPED = Rate(128 << 10, 64 << 10)
PRINTED = Rate(1 << 20, 512 << 10)
MESSAGES = Rate(600, 200)


@dataclass(slots=True)
class Bucket:
    """What is left of a rate. ``take`` never refuses: it says how long to wait."""

    rate: Rate
    left: float | None = None
    at: float = 0.0

    def take(self, amount: float, now: float) -> float:
        """Takes it, and returns for how many seconds nothing more may be taken; 0 if that is at once."""
        before = self.rate.burst if self.left is None else self.left + max(0.0, now - self.at) * self.rate.per_s
        self.left, self.at = min(self.rate.burst, before) - amount, now
        return max(0.0, -self.left / self.rate.per_s)


def why_not(*, terminal: bool, hosts: bool, over: bool, admitted: bool, removed: bool) -> str:
    """Why this participant has no terminal in its session now; empty if it has one."""
    if removed:
        return "You have no participant in this session any more."
    if not terminal or not hosts:
        return "This session has no terminals."
    if over:
        return "The session is over: its terminals are closed."
    if not admitted:
        return "Your instructor has not let you in yet."
    return ""


def held(cols: int, rows: int) -> tuple[int, int]:
    """A size within the limits."""
    return min(max(cols, COLS[0]), COLS[1]), min(max(rows, ROWS[0]), ROWS[1])


def agreed(sizes: Collection[tuple[int, int]]) -> tuple[int, int]:
    """(cols, rows) of a shell that several windows show: nothing is cut in any of them."""
    if not sizes:
        return USUAL
    return held(min(cols for cols, _ in sizes), min(rows for _, rows in sizes))


def why_ends(*, tabs: int, seen_at: float, typed_at: float, now: float) -> str:
    """Why a shell that runs is ended; empty if it is not. ``seen_at`` is when the last window was closed."""
    if not tabs and now - seen_at > DETACHED_S:
        return f"It was ended because nobody looked at it for {DETACHED_S / 60:.0f} minutes."
    if now - typed_at > IDLE_S:
        return f"It was ended because nothing was typed for {IDLE_S / 60:.0f} minutes."
    return ""


def end_words(status: int | None) -> str:
    """How a shell ended by itself; ``status`` is its exit status, None if it was killed."""
    if status is None:
        return "It was killed."
    return "It has ended." if status == 0 else f"It has ended with status {status}."


@dataclass(frozen=True, slots=True)
class Place:
    """Whose terminal it is, and on whose host. ``step`` is the one that is before the person; with ``record`` what is
    shown is kept for the instructor."""

    participant: str
    session: str
    group: str
    step: str = ""
    record: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """Something of a terminal: ``data`` begins at ``offset`` of all that the shell ``run`` has printed, up to ``end``.

    ``ended`` tells why there is no shell, empty while one runs; ``again`` whether a new one can be had. ``change``
    counts what is not output: another size, another shell, an end.
    """

    run: str
    offset: int
    data: bytes
    end: int
    cols: int
    rows: int
    change: int
    ended: str = ""
    again: bool = True


class TerminalError(Exception):
    """Something that cannot be done with a terminal; ``str()`` is a sentence."""


#: There is no such terminal (any more): its participant was taken away, or the server is another.
NOWHERE = Piece("", 0, b"", 0, *USUAL, 0, "There is no terminal here now.", again=False)
