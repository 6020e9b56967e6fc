"""What terminals have shown, kept for the instructor if the session says so: by participant and step, bounded."""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db.models import Count, Max, Min, Sum
from django.db.models.functions import Length

from dashboard.core.terminal.ansi_text import plain_text, width_after
from dashboard.core.terminal.limits import RECORD_BYTES, RECORD_PIECES, why_not
from dashboard.core.training.session import HostsFor
from dashboard.models import Participant, TerminalRecord
from dashboard.store.experiments import Database
from dashboard.store.write_lock import writing

log = logging.getLogger(__name__)
GATHER_S = 2.0
GATHER_BYTES = 32 << 10
#: No piece becomes larger than this again, whatever stands in the database.
LARGEST = 1 << 20
FULL = b"\r\n[The recording of this step ends here: it is as long as it may be.]\r\n"


def why_over(participants: Sequence[str], now: float) -> dict[str, str]:
    """Of these participants those that have no terminal (any more), with the reason."""
    rows = {one.id: one for one in Participant.objects.filter(pk__in=participants).select_related("session")}
    found = {}
    for participant in participants:
        row = rows.get(participant)
        reason = why_not_of(row, now) if row is not None else "This session was deleted."
        if reason:
            found[participant] = reason
    return found


def why_not_of(row: Participant, now: float) -> str:
    """Why this participant has no terminal now; empty if it has."""
    session = row.session
    return why_not(
        terminal=session.terminal,
        hosts=session.hosts != HostsFor.NONE,
        over=bool(session.closed_at) or now >= session.expires_at,
        admitted=bool(row.admitted_at),
        removed=bool(row.removed_at),
    )


def keep(participant: str, step: str, at: float, data: bytes) -> bool:
    """Writes down what was shown; False once a participant has as much in this step as is kept."""
    with writing():
        kept = TerminalRecord.objects.filter(participant_id=participant, step=step).aggregate(
            count=Count("pk"), size=Sum(Length("data"))
        )
        if kept["count"] >= RECORD_PIECES or (kept["size"] or 0) >= RECORD_BYTES:
            return False
        packed = zlib.compress(data)
        if kept["count"] + 1 >= RECORD_PIECES or (kept["size"] or 0) + len(packed) >= RECORD_BYTES:
            packed = zlib.compress(data + FULL)
        TerminalRecord.objects.create(participant_id=participant, step=step, at=at, data=packed)
        return True


@dataclass(frozen=True, slots=True)
class Recording:
    """What is kept of one participant in one step."""

    step: str
    began_at: float
    ended_at: float
    pieces: int


def recordings(participant: str) -> tuple[Recording, ...]:
    """The steps in which something was recorded, in their order."""
    rows = TerminalRecord.objects.filter(participant_id=participant).order_by().values("step")
    found = rows.annotate(began=Min("at"), ended=Max("at"), count=Count("pk")).order_by("began")
    return tuple(Recording(one["step"], one["began"], one["ended"], one["count"]) for one in found)


def pieces_of(participant: str, step: str) -> tuple[tuple[float, bytes], ...]:
    """(when, what was shown) in one step, in order. A piece that is damaged is left out."""
    rows = TerminalRecord.objects.filter(participant_id=participant, step=step).values_list("at", "data")[
        :RECORD_PIECES
    ]
    found = []
    for at, data in rows:
        try:
            found.append((at, zlib.decompressobj().decompress(bytes(data), LARGEST)))
        except zlib.error:
            log.warning("a piece of the terminal of %s is damaged", participant)
    return tuple(found)


def lines_of(participant: str, step: str) -> tuple[tuple[float, str], ...]:
    """The same as text: (when, the lines that were finished since)."""
    found: list[tuple[float, str]] = []
    before, last, width = b"", 0.0, 0
    for at, data in pieces_of(participant, step):
        whole, newline, rest = (before + data).rpartition(b"\n")
        if newline:
            found.append((at, plain_text(whole + newline, width)))
            width = width_after(whole, width)
        before, last = rest[-LARGEST:], at
    if before and (text := plain_text(before, width)):
        found.append((last, text))
    return tuple(found)


class Recorder:
    """Gathers what terminals show and writes it now and then."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._waiting: dict[tuple[str, str], bytearray] = defaultdict(bytearray)
        self._full: set[tuple[str, str]] = set()
        self._task: asyncio.Task[None] | None = None

    def add(self, participant: str, step: str, data: bytes) -> None:
        """Something was shown."""
        key = (participant, step)
        # What nobody could read is not kept: only the database slows this down, never the terminal.
        if key in self._full or len(self._waiting[key]) > 4 * GATHER_BYTES:
            return
        self._waiting[key] += data
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._write_later(), name="terminal-records")

    async def _write_later(self) -> None:
        while self._waiting:
            await asyncio.sleep(GATHER_S)
            await self.flush()

    async def flush(self) -> None:
        """Writes what waits."""
        waiting, self._waiting = self._waiting, defaultdict(bytearray)
        for (participant, step), data in waiting.items():
            if not data:
                continue
            try:
                if not await self._database.run(keep, participant, step, self._clock(), bytes(data)):
                    self._full.add((participant, step))
            except Exception:
                log.exception("what a terminal showed could not be written")

    async def close(self) -> None:
        """Writes the rest."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.flush()
