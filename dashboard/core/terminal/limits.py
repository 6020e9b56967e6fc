"""Limits of the terminals of a session's participants: who may open one, sizes, rates, and when a shell ends.
No clock is read: times are arguments."""

from collections.abc import Collection
from dataclasses import dataclass

from dashboard.core.token_bucket import Rate

COLS = (20, 400)
ROWS = (5, 200)
DEFAULT_SIZE = (80, 24)

#: Output that is kept for a window that reconnects, and how much of it is returned at once.
SCROLLBACK_BYTES = 256 << 10
CHUNK_BYTES = 16 << 10
#: Output that may be in flight to a browser that has not acknowledged drawing it.
WINDOW_BYTES = 128 << 10
#: A browser that acknowledges nothing for this long is disconnected; it reconnects and continues where it stopped.
STUCK_S = 20.0
#: A window that has not asked for output for this long counts as closed.
LOST_S = 60.0

#: Size of one message with input, and of all input in flight to the shell.
TYPED_BYTES = 4 << 10
TYPED_WINDOW_BYTES = 64 << 10

MAX_WINDOWS = 6
MAX_SHELLS = 400
#: A shell ends this long after its last window was closed, or after the last input.
DETACHED_S = 15 * 60.0
IDLE_S = 45 * 60.0

#: A recording of one participant in one step, compressed.
RECORD_BYTES = 256 << 10
RECORD_PIECES = 400

TYPED = Rate(128 << 10, 64 << 10)
PRINTED = Rate(1 << 20, 512 << 10)
MESSAGES = Rate(600, 200)


def refuse_terminal(*, terminal: bool, hosts: bool, over: bool, admitted: bool, removed: bool) -> str | None:
    """Returns the reason why a participant may not open a terminal now; None if the participant may. ``terminal`` is
    true if the session has terminals, ``hosts`` if it has private hosts, ``over`` if it has ended. ``admitted`` and
    ``removed`` describe the participant."""
    if removed:
        return "You are no longer a participant of this session."
    if not terminal or not hosts:
        return "This session has no terminals."
    if over:
        return "The session is over, and its terminals are closed."
    if not admitted:
        return "Your instructor has not admitted you yet."
    return None


def clamp_size(cols: int, rows: int) -> tuple[int, int]:
    """Returns the size, limited to ``COLS`` and ``ROWS``."""
    return min(max(cols, COLS[0]), COLS[1]), min(max(rows, ROWS[0]), ROWS[1])


def common_size(sizes: Collection[tuple[int, int]]) -> tuple[int, int]:
    """Returns the size of a shell that several windows show: the largest one that fits into all of them. ``sizes`` are
    the columns and rows of each window. Returns ``DEFAULT_SIZE`` if there are none."""
    if not sizes:
        return DEFAULT_SIZE
    return clamp_size(min(cols for cols, _ in sizes), min(rows for _, rows in sizes))


def end_reason(*, windows: int, seen_at: float, typed_at: float, now: float) -> str | None:
    """Returns the reason why an idle shell must end; None if it may run. ``windows`` is the number of open windows.
    ``seen_at`` is the time at which the last window was closed, ``typed_at`` the time of the last input."""
    if not windows and now - seen_at > DETACHED_S:
        return f"The shell was ended after {DETACHED_S / 60:.0f} minutes without an open window."
    if now - typed_at > IDLE_S:
        return f"The shell was ended after {IDLE_S / 60:.0f} minutes without input."
    return None


def describe_exit(status: int | None) -> str:
    """Returns a sentence about how a shell ended. ``status`` is its exit status, None if it was killed."""
    if status is None:
        return "The shell was killed."
    return "The shell has ended." if status == 0 else f"The shell has ended with status {status}."


@dataclass(frozen=True, slots=True)
class TerminalOwner:
    """The participant to whom a terminal belongs, and the group on whose host it runs. ``step`` is the step that the
    participant's page shows. ``record`` is true if the output is recorded for the instructor."""

    participant: str
    session: str
    group: str
    step: str = ""
    record: bool = False


@dataclass(frozen=True, slots=True)
class OutputChunk:
    """A part of a terminal's output.

    ``run`` identifies the shell. Offsets are positions in everything that this shell has printed: ``data`` begins at
    ``offset``, and the output so far ends at ``end``. ``ended`` is the reason why no shell runs, empty while one runs.
    ``again`` is true if participants can start one. ``change`` counts changes other than output: a new size, a new
    shell, or the end of a shell.
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
    """Raised when an operation on a terminal is refused. The message is a sentence for the participant."""


#: There is no such terminal: its participant was removed, or the server was restarted.
NO_TERMINAL = OutputChunk("", 0, b"", 0, *DEFAULT_SIZE, 0, "This terminal no longer exists.", again=False)
