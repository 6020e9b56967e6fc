"""The websocket of a terminal, for the participant who owns it. It is the only websocket that accepts input.

Flow control works in both directions. A browser window that does not acknowledge output gets no more output. Input
waits until the shell reads it. Access and the host's machine are checked every ``CHECK_S`` seconds, because another
process may remove a participant or move a host.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Concatenate
from urllib.parse import parse_qs

from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer

from dashboard.core.experiments.messages import encode
from dashboard.core.terminal import frames, limits
from dashboard.core.token_bucket import TokenBucket
from dashboard.core.training.session import group_key
from dashboard.lab.terminal.terminals import Terminals
from dashboard.models import Participant
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.training import participants, terminal_recordings
from dashboard.web.feed_hub import GONE, TRY_LATER, Client
from dashboard.web.http.database import to_db_thread
from dashboard.web.http.server.shared_frames import direct_calls
from dashboard.web.http.session_connections import add_connection, remove_connection
from dashboard.web.service import LabUnavailableError, service
from dashboard.web.training.hub import hub
from dashboard.web.training.roles import tokens_of
from dashboard.web.workshops.views import library

log = logging.getLogger(__name__)
REFUSED = 4400
TOO_MANY = 4409
TOO_FAST = 4429
#: Seconds that a read waits for output, and seconds after which access is checked again.
WAIT_S = 3.0
CHECK_S = 3.0
#: Seconds that Ctrl-C waits for earlier input to be read.
INTERRUPT_WAIT_S = 0.3
NO_PARTICIPANT = "This device is not a participant of this session."


def owner_of(scope: Any, session: str, step: str) -> limits.TerminalOwner | str:
    """Returns the owner of a terminal, the participant who uses the browser. If they may not have a terminal, returns
    the reason instead. ``session`` is the id of the training session, ``step`` the slug of the step. Queries the
    database."""
    token = tokens_of(scope.get("session")).get(session, "")
    ref = participants.by_token(session, str(token))
    row = Participant.objects.select_related("session").filter(pk=ref.id).first() if ref is not None else None
    if row is None:
        return NO_PARTICIPANT
    if refusal := terminal_recordings.refusal_of(row, shared_clock()):
        return refusal
    workshop = library().get(row.session.workshop)
    known = workshop is not None and workshop.index(step) is not None
    key = group_key(session, row.group)
    return limits.TerminalOwner(row.id, session, key, step if known else "", row.session.record_terminal)


def _number(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else default


class TerminalConsumer(AsyncConsumer):
    """The websocket of one browser window that shows a terminal."""

    client: Client | None = None
    hub = hub
    owner: limits.TerminalOwner | None = None
    #: The machine of the group's host, on which the shell runs; None for the installation's machine.
    machine: str | None = None
    show_task: asyncio.Task[None]
    type_task: asyncio.Task[None]
    #: ``ended``: the reason that the window shows for the end of the shell; empty while it shows none.
    window = step = ended = ""
    checked_at = 0.0
    #: ``queued``: input bytes that wait for the shell. ``taken``: input bytes that it has read. ``sent``, ``seen``: the
    #: offsets in the output up to which it was sent to the window, and drawn there.
    queued = taken = sent = seen = 0

    @property
    def identity(self) -> str:
        """The id of the training session, from the URL."""
        return str(self.scope["url_route"]["kwargs"]["identity"])

    async def websocket_connect(self, _message: dict[str, Any]) -> None:
        """Accepts the connection and attaches the window to the terminal. On a refusal, sends the reason and closes."""
        parsed = parse_qs(self.scope.get("query_string", b"").decode("latin-1"))
        query = {key: values[-1] for key, values in parsed.items()}
        self.step = query.get("step", "")[:60]
        owner = await self._authorise()
        await self.send({"type": "websocket.accept"})
        if isinstance(owner, str):
            await self._end(owner, GONE)
            return
        size = (
            _number(query.get("cols", ""), limits.DEFAULT_SIZE[0]),
            _number(query.get("rows", ""), limits.DEFAULT_SIZE[1]),
        )
        self.window, self.checked_at = secrets.token_hex(8), time.monotonic()
        try:
            self.machine = await service.machine_of(owner.group)
            await self._ask(Terminals.attach, owner, self.window, *size)
        except limits.TerminalError as error:
            await self._end(str(error), TOO_MANY)
            return
        except LabUnavailableError as error:
            await self._end(str(error), TRY_LATER, again=True)
            return
        self.owner = owner
        self.client = Client(self.base_send, *direct_calls(self.scope))
        add_connection(self)
        for key in (owner.participant, self.identity):  # ends with the participant or the session
            hub.link(key, self.client, hub)
        self.input: asyncio.Queue[bytes] = asyncio.Queue()
        self.drawn = asyncio.Event()
        self.input_rate, self.message_rate = TokenBucket.full(limits.TYPED), TokenBucket.full(limits.MESSAGES)
        run, start = query.get("run", "")[:16], _number(query.get("from", ""), 0)
        self.show_task = self._task(self._show(owner.participant, run, start))
        self.type_task = self._task(self._type(owner.participant))

    async def _ask[**P, T](
        self, method: Callable[Concatenate[Terminals, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await service.ask_on(self.machine, "", method, *args, **kwargs)

    async def _try_to_ask[**P](
        self, method: Callable[Concatenate[Terminals, P], Awaitable[None]], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Calls ``_ask``. Ignores LabUnavailableError, because the window's next read reports it."""
        with suppress(LabUnavailableError):
            await self._ask(method, *args, **kwargs)

    async def _authorise(self) -> limits.TerminalOwner | str:
        return await to_db_thread(owner_of, self.scope, self.identity, self.step)

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        async def guarded() -> None:
            try:
                await work
            except (LabUnavailableError, OSError, RuntimeError) as error:
                log.info("a window of a terminal was closed: %s", error)
                self._close(TRY_LATER)
            except Exception:
                log.exception("a window of a terminal failed")
                self._close(TRY_LATER)

        return asyncio.get_running_loop().create_task(guarded(), name=f"terminal-{self.window}")

    def _close(self, code: int) -> None:
        if self.client is not None and not self.client.closing:
            hub.disconnect(self.client, code)

    async def _send_message(self, message: object) -> None:
        await self.send({"type": "websocket.send", "text": encode(message).decode()})

    async def _end(self, reason: str, code: int, *, again: bool = False) -> None:
        await self._send_message(frames.TerminalEnded(reason, again))
        await self.send({"type": "websocket.close", "code": code})

    # Output.

    async def _show(self, participant: str, run: str, offset: int) -> None:
        """Sends the output of the shell ``run``, beginning at ``offset``, until the terminal ends. Before each piece,
        waits until the window has drawn enough of the earlier output."""
        known, change, size = "?", -1, (0, 0)
        while True:
            chunk = await self._ask(Terminals.read_from, participant, self.window, run, offset, change, WAIT_S)
            if chunk.run != known or chunk.offset != offset:
                recorded = self.owner is not None and self.owner.record
                size, self.ended = (chunk.cols, chunk.rows), ""
                await self._send_message(frames.TerminalHello(chunk.run, chunk.offset, chunk.end, *size, recorded))
                self.seen = self.sent = chunk.offset
            known, run, change, offset = chunk.run, chunk.run, chunk.change, chunk.offset + len(chunk.data)
            if (chunk.cols, chunk.rows) != size:
                size = (chunk.cols, chunk.rows)
                await self._send_message(frames.TerminalSize(*size))
            if chunk.data:
                await self._wait_until_drawn(chunk.offset)
                self.sent = offset
                await self.send({"type": "websocket.send", "bytes": frames.output(chunk.offset, chunk.data)})
            if await self._is_refused(at_once=chunk.ended != self.ended):
                return
            if chunk.ended != self.ended and offset >= chunk.end:
                self.ended = chunk.ended
                if chunk.ended:
                    await self._send_message(frames.TerminalEnded(chunk.ended, chunk.again))
            if self.ended and not chunk.again:
                self._close(GONE)
                return

    async def _wait_until_drawn(self, offset: int) -> None:
        try:
            async with asyncio.timeout(limits.STUCK_S):
                while offset - self.seen > limits.WINDOW_BYTES:
                    self.drawn.clear()
                    await self.drawn.wait()
        except TimeoutError:
            raise OSError("the browser does not draw") from None

    async def _is_refused(self, *, at_once: bool) -> bool:
        """Checks access and the host's machine, ``at_once`` or if ``CHECK_S`` seconds have passed. If the participant
        has lost access or the host has moved, closes the window. Returns whether the window is closed."""
        if not at_once and time.monotonic() - self.checked_at < CHECK_S:
            return False
        owner = await self._authorise()
        self.checked_at = time.monotonic()
        if isinstance(owner, str):
            await self._send_message(frames.TerminalEnded(owner, again=False))
            self._close(GONE)
        elif await service.machine_of(owner.group) != self.machine:
            self._close(TRY_LATER)  # the page reconnects, to the lab of the other machine
        return self.client is None or self.client.closing

    # Input.

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        """Handles input, a new size, an acknowledgement of drawn output, or a request for a new shell."""
        owner = self.owner
        if owner is None or self.client is None or self.client.closing:
            return
        if self.message_rate.take(1, time.monotonic()) > 0:
            self._close(TOO_FAST)
            return
        try:
            frame = frames.read_frame(message.get("text"), message.get("bytes"))
        except frames.FrameError:
            self._close(REFUSED)
            return
        match frame:
            case frames.Typed(data):
                self._queue_input(owner.participant, data)
            case frames.Resize(cols, rows):
                await self._try_to_ask(Terminals.resize, owner.participant, self.window, cols, rows)
            case frames.Seen(at):
                if self.seen < at <= self.sent:  # ignores offsets of an earlier shell
                    self.seen = at
                    self.drawn.set()
            case frames.Start():
                self.ended = ""  # the window has cleared it: if the lab refuses for the same reason, it is sent again
                await self._try_to_ask(Terminals.start, owner.participant)

    def _queue_input(self, participant: str, data: bytes) -> None:
        self.queued += len(data)
        if self.queued > limits.TYPED_WINDOW_BYTES:
            self._close(TOO_FAST)
            return
        self.input.put_nowait(data)
        if data == frames.INTERRUPT:
            loop = asyncio.get_running_loop()
            loop.call_later(INTERRUPT_WAIT_S, self._interrupt_first, participant, self.taken + self.queued)

    def _interrupt_first(self, participant: str, until: int) -> None:
        """If the program has not yet read the input that precedes Ctrl-C, drops this input and sends Ctrl-C. ``until``
        is the number of bytes of all input up to and including Ctrl-C."""
        if self.taken >= until or self.client is None or self.client.closing:
            return
        self.type_task.cancel()
        self.input = asyncio.Queue()
        self.taken, self.queued = self.taken + self.queued, 0
        self.input.put_nowait(frames.INTERRUPT)
        self.queued += len(frames.INTERRUPT)
        self.taken -= len(frames.INTERRUPT)
        self.type_task = self._task(self._type(participant))

    async def _type(self, participant: str) -> None:
        """Passes input to the shell as fast as the shell reads it, and acknowledges it to the window."""
        pending = self.input
        while True:
            data = await pending.get()
            wait_s = self.input_rate.take(len(data), time.monotonic())
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if data == frames.INTERRUPT:
                await self._try_to_ask(Terminals.interrupt, participant, self.window)
            else:
                await self._ask(Terminals.write, participant, self.window, data)
            self.queued -= len(data)
            self.taken += len(data)
            await self._send_message(frames.TerminalTaken(self.taken))

    async def websocket_disconnect(self, _message: dict[str, Any]) -> None:
        """Detaches the window from the terminal, after the connection has ended."""
        owner, client = self.owner, self.client
        if owner is not None and client is not None:
            client.closing = True
            for task in (self.show_task, self.type_task):
                task.cancel()
            await asyncio.gather(self.show_task, self.type_task, return_exceptions=True)
            for key in (owner.participant, self.identity):
                hub.linked.remove(key, client)
            remove_connection(self)
            await self._try_to_ask(Terminals.detach, owner.participant, self.window)
        raise StopConsumer
