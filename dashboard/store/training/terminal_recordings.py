"""Recordings of the participants' terminals for the instructor, in sessions that record them. Each participant has one
recording of limited size for each step."""

import asyncio
import logging
import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db.models import Count, Max, Min, Sum
from django.db.models.functions import Length

from dashboard.core.terminal.ansi_text import plain_text, width_after
from dashboard.core.terminal.limits import RECORD_BYTES, RECORD_PIECES, refuse_terminal
from dashboard.core.training.session import HostsFor
from dashboard.interrupts import uninterrupted
from dashboard.models import Participant, TerminalRecord
from dashboard.store.database import DATABASE_UNAVAILABLE, DatabaseThread
from dashboard.store.training.hosts import is_over
from dashboard.store.write_lock import writing

log = logging.getLogger(__name__)
FLUSH_S = 2.0
BUFFER_BYTES = 32 << 10
#: The maximum size of a decompressed piece, whatever the row contains.
MAX_PIECE_BYTES = 1 << 20
FULL = b"\r\n[The recording of this step ends here: it has reached the maximum size.]\r\n"


#: The columns of a session that the lab of a machine may read (``store.operations.machine_roles``).
_SESSION_COLUMNS = ("terminal", "hosts", "closed_at", "expires_at")


def refusals(participants: Sequence[str], now: float) -> dict[str, str]:
    """The reasons why these participants may not have a terminal now, by participant. Omits those who may have one."""
    columns = ("admitted_at", "removed_at", *(f"session__{name}" for name in _SESSION_COLUMNS))
    found = Participant.objects.filter(pk__in=participants).select_related("session").only(*columns)
    rows = {row.id: row for row in found}
    reasons = {key: refusal_of(rows[key], now) if key in rows else "This session was deleted." for key in participants}
    return {key: reason for key, reason in reasons.items() if reason}


def refusal_of(row: Participant, now: float) -> str | None:
    """The reason why this participant may not have a terminal now; None if the participant may."""
    session = row.session
    return refuse_terminal(
        terminal=session.terminal,
        hosts=session.hosts != HostsFor.NONE,
        over=is_over(session, now),
        admitted=bool(row.admitted_at),
        removed=bool(row.removed_at),
    )


def store(participant: str, step: str, at: float, data: bytes) -> bool:
    """Stores a piece of a terminal's output. Returns False if the recording of this step has reached its maximum
    size."""
    with writing():
        size = TerminalRecord.objects.filter(participant_id=participant, step=step).aggregate(
            pieces=Count("pk"), bytes=Sum(Length("data"), default=0)
        )
        if size["pieces"] >= RECORD_PIECES or size["bytes"] >= RECORD_BYTES:
            return False
        packed = zlib.compress(data)
        if size["pieces"] + 1 >= RECORD_PIECES or size["bytes"] + len(packed) >= RECORD_BYTES:
            packed = zlib.compress(data + FULL)
        TerminalRecord.objects.create(participant_id=participant, step=step, at=at, data=packed)
        return True


@dataclass(frozen=True, slots=True)
class Recording:
    """A summary of the recording of one participant in one step, without the output itself."""

    step: str
    began_at: float
    ended_at: float
    pieces: int


def recordings(participant: str) -> tuple[Recording, ...]:
    """The recordings of a participant, ordered by the time of their first output."""
    rows = TerminalRecord.objects.filter(participant_id=participant).order_by().values("step")
    steps = rows.annotate(began=Min("at"), ended=Max("at"), count=Count("pk")).order_by("began")
    return tuple(Recording(row["step"], row["began"], row["ended"], row["count"]) for row in steps)


def pieces_of(participant: str, step: str) -> tuple[tuple[float, bytes], ...]:
    """The stored pieces of a recording with their times, in order. Damaged pieces are omitted."""
    rows = TerminalRecord.objects.filter(participant_id=participant, step=step).values_list("at", "data")
    pieces = []
    for at, data in rows[:RECORD_PIECES]:
        try:
            pieces.append((at, zlib.decompressobj().decompress(bytes(data), MAX_PIECE_BYTES)))
        except zlib.error:
            log.warning("a recorded piece of the terminal of %s is damaged", participant)
    return tuple(pieces)


def lines_of(participant: str, step: str) -> tuple[tuple[float, str], ...]:
    """A recording as text. For each stored piece that completes one or more lines, returns its time and these lines.
    An unfinished last line has the time of the last piece."""
    lines: list[tuple[float, str]] = []
    unfinished, last_at, width = b"", 0.0, 0
    for at, data in pieces_of(participant, step):
        complete, newline, rest = (unfinished + data).rpartition(b"\n")
        if newline:
            lines.append((at, plain_text(complete + newline, width)))
            width = width_after(complete, width)
        unfinished, last_at = rest[-MAX_PIECE_BYTES:], at
    if unfinished and (text := plain_text(unfinished, width)):
        lines.append((last_at, text))
    return tuple(lines)


class Recorder:
    """Buffers the output of terminals and stores it every ``FLUSH_S`` seconds."""

    def __init__(self, database: DatabaseThread, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._buffers: dict[tuple[str, str], bytearray] = defaultdict(bytearray)
        self._full: set[tuple[str, str]] = set()
        self._task: asyncio.Task[None] | None = None

    def add(self, participant: str, step: str, data: bytes) -> None:
        """Buffers output. Drops it while the buffer is full, so that a slow database never slows down a terminal."""
        key = (participant, step)
        if key in self._full or len(self._buffers[key]) > 4 * BUFFER_BYTES:
            return
        self._buffers[key] += data
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._flush_later(), name="terminal-records")

    async def _flush_later(self) -> None:
        while self._buffers:
            await asyncio.sleep(FLUSH_S)
            await uninterrupted(self.flush())

    async def flush(self) -> None:
        """Stores the buffered output. Output that cannot be stored because the database is locked or unavailable
        remains in its buffer."""
        buffers, self._buffers = self._buffers, defaultdict(bytearray)
        for (participant, step), data in buffers.items():
            if not data:
                continue
            try:
                if not await self._database.run(store, participant, step, self._clock(), bytes(data)):
                    self._full.add((participant, step))
            except DATABASE_UNAVAILABLE as error:
                log.warning("output of a terminal cannot be stored now: %s", error)
                self._buffers[participant, step] = data + self._buffers[participant, step]
            except Exception:
                log.exception("output of a terminal could not be stored")

    async def close(self) -> None:
        """Stores the remaining output and stops."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.flush()
