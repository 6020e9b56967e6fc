"""The lab's side of the link to its web process: handles calls, and sends facts and wake-ups.

It accepts only the functions of ``lab.remote.rpc``, except those between machines, and the methods of terminals, with
arguments of the declared types. Even if an attacker controls the web process, these calls permit no more than pages
permit a signed-in owner. Calls between machines are excluded because an installation on one machine has no page for a
swarm.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import replace

from dashboard.core.operations.deployment import LabFacts
from dashboard.lab.experiments.journal_writer import Publisher
from dashboard.lab.remote import rpc
from dashboard.lab.remote.call_runner import run_call
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
    open_lab_end,
)
from dashboard.lab.remote.wakeups import ALL, MAX_PENDING, Wakeup
from dashboard.lab.supervisor import LabUnavailableError, Supervisor

log = logging.getLogger(__name__)
#: Seconds between two comparisons of the facts, and between two messages with unchanged facts.
FACTS_S, UNCHANGED_FACTS_S = 0.25, 1.0
#: The maximum number of calls in progress. Each terminal window makes two, and each request of a page a few.
MAX_CALLS = 4096
ONE_MACHINE = "This lab accepts no calls about a swarm of machines: its installation has one machine."


class LinkPublisher(Publisher):
    """Collects wake-ups for the web process while an earlier message is being sent. Use it only in the lab's loop."""

    def __init__(self) -> None:
        super().__init__(self._put)
        self._pending: dict[Wakeup, None] = {}
        self._has_pending = asyncio.Event()

    def _put(self, *wakeup: str) -> None:
        if len(self._pending) >= MAX_PENDING:
            self._pending.clear()
            wakeup = ALL
        self._pending[wakeup] = None
        self._has_pending.set()

    async def next(self) -> tuple[Wakeup, ...]:
        """Waits until there are wake-ups; returns all since the last call."""
        await self._has_pending.wait()
        self._has_pending.clear()
        pending, self._pending = tuple(self._pending), {}
        return pending


class LinkServer:
    """Serves one web process at a time."""

    def __init__(self, supervisor: Supervisor, publisher: LinkPublisher) -> None:
        self._supervisor = supervisor
        self._publisher = publisher
        self._calls: dict[int, asyncio.Task[None]] = {}

    async def serve(self, own: socket.socket, on_ready: Callable[[], None]) -> None:
        """Serves the web process at the other end of ``own`` until it closes its end, then cancels its calls.
        ``on_ready`` is called when the web process serves pages."""
        link = await open_lab_end(own)
        loop = asyncio.get_running_loop()
        senders = [
            loop.create_task(self._send_facts(link), name="link-facts"),
            loop.create_task(self._send_wakeups(link), name="link-wakeups"),
        ]
        try:
            while (request := await link.receive()) is not None:
                self._handle(link, request, on_ready)
                await link.drain()
        except LinkBrokenError as error:
            log.error("the web process sent an invalid message (%s); its connection is closed", error)  # noqa: TRY400
        except ConnectionError:
            pass
        finally:
            tasks = [*senders, *self._calls.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await link.close()

    def _handle(self, link: Link[Reply, Request], request: Request, on_ready: Callable[[], None]) -> None:
        match request:
            case Call():
                self._start(link, request)
            case Cancel(number):
                if (task := self._calls.get(number)) is not None:
                    task.cancel()
            case Look():
                self._supervisor.wake()
            case Ready():
                on_ready()

    def _start(self, link: Link[Reply, Request], call: Call) -> None:
        if len(self._calls) >= MAX_CALLS or call.number in self._calls:
            busy = LabUnavailableError("The lab handles too many requests. Try again in a moment.")
            link.send(Result(call.number, rpc.encode_error(busy), refused=True))
            return
        task = asyncio.get_running_loop().create_task(self._run(link, call), name=f"call-{call.name[:60]}")
        self._calls[call.number] = task
        task.add_done_callback(lambda _: self._calls.pop(call.number, None))

    async def _run(self, link: Link[Reply, Request], call: Call) -> None:
        async def write(text: str) -> None:
            link.send(Output(call.number, text))
            await link.drain()

        try:
            if call.name in rpc.BETWEEN_MACHINES:
                raise LabUnavailableError(ONE_MACHINE)  # noqa: TRY301
            result = await run_call(self._supervisor, call.name, call.host, call.arguments, write)
            link.send(Result(call.number, result))
        except ConnectionError:
            return
        except Exception as error:
            text = rpc.encode_error(error)
            link.send(Result(call.number, text, refused=True))
            if rpc.LabFailedError.__name__ in text:
                log.exception("the lab failed while it handled %s", call.name[:60])

    async def _send_wakeups(self, link: Link[Reply, Request]) -> None:
        while True:
            link.send(Wakeups(await self._publisher.next()))
            await link.drain()

    async def _send_facts(self, link: Link[Reply, Request]) -> None:
        sent, sent_at = None, 0.0
        while True:
            context = self._supervisor.context
            facts = LabFacts(context.ref if context is not None else None, self._supervisor.problem)
            if facts != sent or time.monotonic() - sent_at >= UNCHANGED_FACTS_S:
                sent, sent_at = facts, time.monotonic()
                link.send(Facts(replace(facts, heartbeat=self._supervisor.heartbeat())))
                await link.drain()
            await asyncio.sleep(FACTS_S)
