"""Access to the lab that has started this web process, over the socket pair between them (``lab.remote.link``)."""

import asyncio
import os
import socket
from collections.abc import Callable

import msgspec

from dashboard.core.operations.deployment import LabFacts
from dashboard.core.operations.heartbeat import Heartbeat
from dashboard.core.operations.machines import SERVER
from dashboard.lab.remote.link import Link
from dashboard.lab.remote.nats_connection import WEB_HEARTBEATS, WEB_REPLIES, Message
from dashboard.lab.remote.replies import Caller
from dashboard.lab.supervisor import LabUnavailableError

_FACTS = msgspec.json.Decoder(LabFacts)


def exit_now() -> None:
    """Ends this process at once, because its lab has ended. No data is lost: acknowledged changes are in the
    database."""
    os._exit(0)


class LinkedLab(Caller):
    """The lab that has started this process. ``on_lost`` is called when the connection to the lab ends.

    Use it only in the server's event loop, unless a method states otherwise.
    """

    def __init__(self, link: Link, on_lost: Callable[[], None]) -> None:
        super().__init__(link, SERVER, "link")
        self._link = link
        self._on_lost = on_lost
        self._serving: asyncio.Task[None] | None = None
        self._first_facts = asyncio.Event()
        #: The facts about the lab that pages show. May be read from any thread.
        self.facts = LabFacts()

    def heartbeat(self) -> Heartbeat | None:
        """Returns the state and counters of the lab; None while the lab is not open. May be called from any thread."""
        return self.facts.heartbeat

    async def start(self, own: socket.socket) -> None:
        """Connects over ``own``, this process's end of the socket pair, and waits for the first facts about the lab."""
        self._loop = asyncio.get_running_loop()
        await self._link.listen(WEB_HEARTBEATS, self._on_facts)
        await self._link.listen(WEB_REPLIES, self.on_reply)
        await self._link.open(own)
        self._serving = self._loop.create_task(self._serve(), name="linked-lab")
        await self._first_facts.wait()

    async def close(self) -> None:
        """Closes the connection to the lab."""
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.gather(self._serving, return_exceptions=True)
            self._serving = None

    async def _serve(self) -> None:
        await self._link.serve()
        self._on_lost()

    def _on_facts(self, message: Message) -> None:
        self.facts = _FACTS.decode(message.data)
        self._first_facts.set()

    def _require_lab(self) -> str:
        if not self._link.is_open:
            raise LabUnavailableError("The server is stopping.")
        return SERVER
