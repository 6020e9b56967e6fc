"""The websocket of a terminal: the only one that reads. For the participant whose terminal it is, and for nobody else.

Both ways are held back: nothing more is sent to a window that does not draw, and no more is taken from one than the
shell takes. Who may have the terminal is asked again every few seconds, since a participant may go in another process.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

from channels.consumer import AsyncConsumer
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer

from dashboard.core.experiments.messages import encode
from dashboard.core.terminal.frames import (
    INTERRUPT,
    FrameError,
    Resize,
    Seen,
    Start,
    TerminalEnded,
    TerminalHello,
    TerminalSize,
    TerminalTaken,
    Typed,
    output,
    read_frame,
)
from dashboard.core.terminal.limits import (
    MESSAGES,
    STUCK_S,
    TYPED,
    TYPED_WINDOW_BYTES,
    USUAL,
    WINDOW_BYTES,
    Bucket,
    Place,
    TerminalError,
)
from dashboard.core.training.session import group_key
from dashboard.lab.terminal.terminals import Terminals
from dashboard.models import Participant
from dashboard.store.training import participants, terminal_recordings
from dashboard.web.feed_hub import GONE, TRY_LATER, Client
from dashboard.web.http.session_connections import add_connection, remove_connection
from dashboard.web.service import LabUnavailableError, service
from dashboard.web.training.hub import hub
from dashboard.web.training.roles import tokens_of
from dashboard.web.workshops.views import library

log = logging.getLogger(__name__)
REFUSED = 4400
TOO_MANY = 4409
TOO_FAST = 4429
#: How long a question for output waits, and how old the answer to who this is may be.
WAIT_S = 3.0
CHECK_S = 3.0
#: How long an interrupt waits for what was typed before it.
OVERTAKE_S = 0.3
NO_PARTICIPANT = "You have no participant in this session on this device."


def place_in(scope: Any, session: str, step: str) -> Place | str:
    """Whose terminal a browser asks for; or why it gets none. Asks the database."""
    token = tokens_of(scope.get("session")).get(session, "")
    ref = participants.by_token(session, str(token))
    row = Participant.objects.select_related("session").filter(pk=ref.id).first() if ref is not None else None
    if row is None:
        return NO_PARTICIPANT
    if reason := terminal_recordings.why_not_of(row, time.time()):
        return reason
    workshop = library().get(row.session.workshop)
    known = workshop is not None and workshop.index(step) is not None
    key = group_key(session, row.group)
    return Place(row.id, session, key, step if known else "", row.session.record_terminal)


def _number(text: str, usual: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else usual


class TerminalConsumer(AsyncConsumer):
    """One window of a terminal."""

    client: Client | None = None
    hub = hub
    place: Place | None = None
    terminals: Terminals
    showing: asyncio.Task[None]
    typing: asyncio.Task[None]
    tab = ""
    step = ""
    looked_at = 0.0
    #: Bytes that were typed and not taken yet, that were taken; up to where was sent, and drawn.
    queued = taken = sent = seen = 0

    @property
    def identity(self) -> str:
        """The session in the address."""
        return str(self.scope["url_route"]["kwargs"]["identity"])

    async def websocket_connect(self, _message: dict[str, Any]) -> None:
        """Shows the terminal, or says why there is none."""
        asked = {
            key: found[-1] for key, found in parse_qs(self.scope.get("query_string", b"").decode("latin-1")).items()
        }
        self.step = asked.get("step", "")[:60]
        found = await self._look()
        await self.send({"type": "websocket.accept"})
        if isinstance(found, str):
            await self._end(found, GONE)
            return
        size = _number(asked.get("cols", ""), USUAL[0]), _number(asked.get("rows", ""), USUAL[1])
        self.tab, self.looked_at = secrets.token_hex(8), time.monotonic()
        try:
            self.terminals = service.terminals
            await self.terminals.attach(found, self.tab, *size)
        except TerminalError as error:
            await self._end(str(error), TOO_MANY)
            return
        except LabUnavailableError as error:
            await self._end(str(error), TRY_LATER, again=True)
            return
        self.place = found
        self.client = Client(self.base_send)
        add_connection(self)
        for until in (
            found.participant,
            self.identity,
        ):  # its participant is taken away or moved; the session is closed
            hub.watch_work(until, self.client, hub)
        self.typed: asyncio.Queue[bytes] = asyncio.Queue()
        self.drawn = asyncio.Event()
        self.rate, self.messages = Bucket(TYPED), Bucket(MESSAGES)
        run, start = asked.get("run", "")[:16], _number(asked.get("from", ""), 0)
        self.showing = self._task(self._show(found.participant, run, start))
        self.typing = self._task(self._type(found.participant))

    def _look(self) -> Coroutine[Any, Any, Place | str]:
        look: Coroutine[Any, Any, Place | str] = database_sync_to_async(place_in, thread_sensitive=False)(
            self.scope, self.identity, self.step
        )
        return look

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        async def surely() -> None:
            try:
                await work
            except (LabUnavailableError, OSError, RuntimeError) as error:
                log.info("a window of a terminal was closed: %s", error)
                self._close(TRY_LATER)
            except Exception:
                log.exception("a window of a terminal failed")
                self._close(TRY_LATER)

        return asyncio.get_running_loop().create_task(surely(), name=f"terminal-{self.tab}")

    def _close(self, code: int) -> None:
        if self.client is not None and not self.client.closing:
            hub.disconnect(self.client, code)

    async def _say(self, message: object) -> None:
        await self.send({"type": "websocket.send", "text": encode(message).decode()})

    async def _end(self, reason: str, code: int, *, again: bool = False) -> None:
        await self._say(TerminalEnded(reason, again))
        await self.send({"type": "websocket.close", "code": code})

    # What the shell prints.

    async def _show(self, participant: str, run: str, offset: int) -> None:
        """Sends what is new, and waits for the window to draw it."""
        known, change, size, ended = "?", -1, (0, 0), ""
        while True:
            piece = await self.terminals.read_from(participant, self.tab, run, offset, change, WAIT_S)
            if piece.run != known or piece.offset != offset:
                recorded = self.place is not None and self.place.record
                size, ended = (piece.cols, piece.rows), ""
                await self._say(TerminalHello(piece.run, piece.offset, piece.end, *size, recorded))
                self.seen = self.sent = piece.offset
            known = run = piece.run
            change, offset = piece.change, piece.offset + len(piece.data)
            if (piece.cols, piece.rows) != size:
                size = (piece.cols, piece.rows)
                await self._say(TerminalSize(*size))
            if piece.data:
                await self._until_drawn(piece.offset)
                self.sent = offset
                await self.send({"type": "websocket.send", "bytes": output(piece.offset, piece.data)})
            if piece.ended != ended and offset >= piece.end:
                ended = piece.ended
                if ended:
                    await self._say(TerminalEnded(ended, piece.again))
            if ended and not piece.again:
                self._close(GONE)
                return
            if await self._is_over():
                return

    async def _until_drawn(self, offset: int) -> None:
        try:
            async with asyncio.timeout(STUCK_S):
                while offset - self.seen > WINDOW_BYTES:
                    self.drawn.clear()
                    await self.drawn.wait()
        except TimeoutError:
            raise OSError("it draws nothing") from None

    async def _is_over(self) -> bool:
        """Whether the participant has the terminal no longer; then the window has been told."""
        if time.monotonic() - self.looked_at < CHECK_S:
            return False
        found = await self._look()
        self.looked_at = time.monotonic()
        if isinstance(found, str):
            await self._say(TerminalEnded(found, again=False))
            self._close(GONE)
            return True
        return False

    # What is typed.

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        """Keys, sizes, and up to where the window has drawn."""
        place = self.place
        if place is None or self.client is None or self.client.closing:
            return
        if self.messages.take(1, time.monotonic()) > 0:
            self._close(TOO_FAST)
            return
        try:
            frame = read_frame(message.get("text"), message.get("bytes"))
        except FrameError:
            self._close(REFUSED)
            return
        match frame:
            case Typed(data):
                self._typed(place.participant, data)
            case Resize(cols, rows):
                await self.terminals.resize(place.participant, self.tab, cols, rows)
            case Seen(at):
                if self.seen < at <= self.sent:  # not of a shell that has ended since
                    self.seen = at
                    self.drawn.set()
            case Start():
                await self.terminals.start(place.participant)

    def _typed(self, participant: str, data: bytes) -> None:
        self.queued += len(data)
        if self.queued > TYPED_WINDOW_BYTES:
            self._close(TOO_FAST)
            return
        self.typed.put_nowait(data)
        if data == INTERRUPT:
            asyncio.get_running_loop().call_later(OVERTAKE_S, self._overtake, participant, self.taken + self.queued)

    def _overtake(self, participant: str, until: int) -> None:
        """An interrupt that does not come through goes before what was typed and nobody reads, which is gone then."""
        if self.taken >= until or self.client is None or self.client.closing:
            return
        self.typing.cancel()
        self.typed = asyncio.Queue()
        self.taken, self.queued = self.taken + self.queued, 0
        self.typed.put_nowait(INTERRUPT)
        self.queued += len(INTERRUPT)
        self.taken -= len(INTERRUPT)
        self.typing = self._task(self._type(participant))

    async def _type(self, participant: str) -> None:
        """Hands over what was typed as fast as the shell takes it."""
        typed = self.typed
        while True:
            data = await typed.get()
            wait_s = self.rate.take(len(data), time.monotonic())
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if data == INTERRUPT:
                await self.terminals.interrupt(participant, self.tab)
            else:
                await self.terminals.write(participant, self.tab, data)
            self.queued -= len(data)
            self.taken += len(data)
            await self._say(TerminalTaken(self.taken))

    async def websocket_disconnect(self, _message: dict[str, Any]) -> None:
        """The window has gone."""
        place, client = self.place, self.client
        if place is not None and client is not None:
            client.closing = True
            for task in (self.showing, self.typing):
                task.cancel()
            await asyncio.gather(self.showing, self.typing, return_exceptions=True)
            for until in (place.participant, self.identity):
                hub.unwatch_work(until, client)
            remove_connection(self)
            with suppress(LabUnavailableError):
                await self.terminals.detach(place.participant, self.tab)
        raise StopConsumer
