"""The lab's side of the link to its web process: handles calls and wake-ups, and sends the facts about the lab.

It accepts only the functions of ``lab.remote.rpc``, with arguments of the declared types. It accepts no calls between
machines, because an installation on one machine has no page for a swarm. Even if an attacker controls the web process,
the accepted calls permit no more than pages permit a signed-in owner.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import replace

import msgspec

from dashboard.core.operations.machines import SERVER
from dashboard.lab.remote.call_server import CallServer
from dashboard.lab.remote.link import Link
from dashboard.lab.remote.nats_connection import LAB_WAKEUPS, WEB_HEARTBEATS
from dashboard.lab.remote.wakeups import Wakeup, WakeupChannel
from dashboard.lab.supervisor import Supervisor

#: Seconds between two comparisons of the facts, and between two messages with unchanged facts.
FACTS_S, UNCHANGED_FACTS_S = 0.25, 1.0


class LinkServer:
    """Serves one web process at a time over the link."""

    def __init__(self, supervisor: Supervisor, link: Link, wakeups: WakeupChannel) -> None:
        self._supervisor = supervisor
        self._link = link
        self._wakeups = wakeups
        self._calls = CallServer(supervisor, link, between_machines=False)

    async def serve(self, own: socket.socket, on_ready: Callable[[], None]) -> None:
        """Serves a web process until it closes its end of the connection, then cancels its calls. ``own`` is the lab's
        end of the socket pair. ``on_ready`` is called when the web process serves pages."""

        def on_wakeup(wakeup: Wakeup) -> None:
            if wakeup[0] == "look":
                self._supervisor.wake()
            elif wakeup[0] == "ready":
                on_ready()

        await self._calls.listen(SERVER)
        await self._wakeups.listen(LAB_WAKEUPS, on_wakeup)
        await self._link.open(own)
        sending = asyncio.get_running_loop().create_task(self._send_facts(), name="link-facts")
        try:
            await self._link.serve()
        finally:
            sending.cancel()
            await asyncio.gather(sending, *self._calls.cancel(), return_exceptions=True)

    async def _send_facts(self) -> None:
        sent, sent_at = None, 0.0
        while True:
            facts = self._supervisor.facts
            if facts != sent or time.monotonic() - sent_at >= UNCHANGED_FACTS_S:
                message = msgspec.json.encode(replace(facts, heartbeat=self._supervisor.heartbeat()))
                sent, sent_at = facts, time.monotonic()
                await self._link.publish(WEB_HEARTBEATS, message)
            await asyncio.sleep(FACTS_S)
