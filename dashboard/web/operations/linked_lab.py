"""Access to the lab that has started this web process, over the socket pair between them (``lab.remote.link``)."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import socket
from collections.abc import AsyncGenerator, Callable

from dashboard.core.operations.deployment import LabFacts
from dashboard.core.operations.heartbeat import Heartbeat
from dashboard.lab.remote.link import (
    Call,
    Cancel,
    Facts,
    Link,
    LinkBrokenError,
    Look,
    Output,
    Ready,
    Reply,
    Request,
    Result,
    Wakeups,
    open_web_end,
)
from dashboard.lab.remote.replies import Caller, Kind
from dashboard.lab.remote.rpc import RemoteCall
from dashboard.lab.supervisor import LabUnavailableError

log = logging.getLogger(__name__)


def exit_now() -> None:
    """Ends this process at once, because its lab has ended. No data is lost: acknowledged changes are in the
    database."""
    os._exit(0)


class LinkedLab(Caller):
    """This process's end of the link. Use it only in the server's loop, unless a method states otherwise."""

    def __init__(self, own: socket.socket, receive: Callable[..., None], on_lost: Callable[[], None]) -> None:
        self._own = own
        self._receive_wakeup = receive
        self._on_lost = on_lost
        self._link: Link[Request, Reply] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._first_facts = asyncio.Event()
        self._facts = LabFacts()
        self._numbers = itertools.count(1)
        self._replies: dict[int, asyncio.Queue[tuple[Kind, str]]] = {}

    @property
    def facts(self) -> LabFacts:
        """The facts about the lab that pages show. May be called from any thread."""
        return self._facts

    def heartbeat(self) -> Heartbeat | None:
        """The state and counters of the lab; None without a lab. May be called from any thread."""
        return self._facts.heartbeat

    async def start(self) -> None:
        """Connects, and waits for the first facts about the lab."""
        self._loop = asyncio.get_running_loop()
        self._link = await open_web_end(self._own)
        self._reading = self._loop.create_task(self._read(), name="linked-lab")
        await self._first_facts.wait()

    async def close(self) -> None:
        """Disconnects."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._reading = None
        if self._link is not None:
            await self._link.close()
            self._link = None

    def report_ready(self) -> None:
        """Reports to the lab that this process serves pages."""
        self._send(Ready())

    def wake(self) -> None:
        """Starts a pass of the lab. May be called from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._send, Look())

    def _send(self, request: Request) -> None:
        if self._link is not None:
            self._link.send(request)

    async def _read(self) -> None:
        try:
            while self._link is not None and (reply := await self._link.receive()) is not None:
                self._handle(reply)
        except LinkBrokenError:
            log.exception("the lab sent an invalid message")
        self._on_lost()

    def _handle(self, reply: Reply) -> None:
        match reply:
            case Facts(facts):
                self._facts = facts
                self._first_facts.set()
            case Wakeups(wakeups):
                for wakeup in wakeups:
                    self._receive_wakeup(*wakeup)
            case Output(number, text):
                self._on_reply(number, Kind.OUTPUT, text)
            case Result(number, text, refused):
                self._on_reply(number, Kind.REFUSED if refused else Kind.RESULT, text)

    def _on_reply(self, number: int, kind: Kind, text: str) -> None:
        if (replies := self._replies.get(number)) is not None:
            replies.put_nowait((kind, text))

    # Calls.

    async def _send_call(self, function: RemoteCall, host: str, arguments: str) -> AsyncGenerator[tuple[Kind, str]]:
        """As ``Caller._send_call``, without a timeout, because no message is lost on the link."""
        if self._link is None:
            raise LabUnavailableError("The server is stopping.")
        number = next(self._numbers)
        replies = self._replies[number] = asyncio.Queue()
        is_done = False
        try:
            self._send(Call(number, function.name, host, arguments))
            while not is_done:
                kind, text = await replies.get()
                is_done = kind is not Kind.OUTPUT
                yield kind, text
        finally:
            del self._replies[number]
            if not is_done:
                self._send(Cancel(number))
