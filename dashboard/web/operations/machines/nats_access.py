"""Admits machines to NATS with permissions for their own subjects, and ends the connections of revoked ones.

NATS asks (auth callout) whenever a connection names a user that ``nats.conf`` does not know; the queue group selects
one web process. No file has to be written or reloaded, and a revoked machine is refused at once.
"""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from dashboard.core.operations.nats_jwt import admission, parse_request, refusal
from dashboard.lab.remote.nats_connection import Message, NatsConnection, subjects_of
from dashboard.nats_issuer import issuer_key, public_name
from dashboard.store import machines
from dashboard.web.http.database import in_database

log = logging.getLogger(__name__)
AUTH, AUTH_QUEUE = "$SYS.REQ.USER.AUTH", "netmodes-web"
CONNECTIONS, KICK = "$SYS.REQ.ACCOUNT.PING.CONNZ", "$SYS.REQ.SERVER.{}.KICK"
#: Each server lists its connections after this time at the latest.
LIST_S = 2.0


class NatsAccess:
    """Answers the questions of NATS servers. In the server's loop."""

    def __init__(self, nats: NatsConnection, has_key: Callable[[str, str], bool] = machines.has_key) -> None:
        self._nats = nats
        self._has_key = has_key
        self._sign = issuer_key(settings.SECRET_KEY).sign
        self._issuer = public_name(settings.SECRET_KEY)
        self._inbox = f"netmodes.web.system.{secrets.token_hex(8)}"
        self._lists: asyncio.Queue[Any] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Starts to answer."""
        await self._nats.listen(AUTH, self._on_question, AUTH_QUEUE)
        await self._nats.listen(self._inbox, lambda message: self._lists.put_nowait(json.loads(message.data)))

    async def close(self) -> None:
        """Stops."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _on_question(self, message: Message) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(message), name="nats-access")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Message) -> None:
        request, now = parse_request(message.data), int(time.time())
        try:
            is_admitted = await in_database(self._has_key, request.user, request.password)
        except DatabaseError as error:
            log.warning("the connection of %.40r to NATS cannot be checked: %s", request.user, error)
            return  # the machine tries again
        if is_admitted:
            answer = admission(request, self._issuer, self._sign, now, *subjects_of(request.user))
        else:
            answer = refusal(request, self._issuer, self._sign, now, "no machine has this name and key")
        await self._nats.publish(message.reply, answer)

    async def disconnect(self, machine: str) -> None:
        """Ends the connections of a machine whose key is no longer valid."""
        while not self._lists.empty():
            self._lists.get_nowait()
        if not await self._nats.publish(CONNECTIONS, json.dumps({"auth": True}).encode(), self._inbox):
            return
        try:
            async with asyncio.timeout(LIST_S):
                while True:
                    listed = await self._lists.get()
                    await self._kick(machine, listed["server"]["id"], listed["data"]["connections"])
        except TimeoutError:
            return

    async def _kick(self, machine: str, server: str, connections: list[dict[str, Any]]) -> None:
        for connection in connections:
            if connection.get("authorized_user") == machine:
                cid = json.dumps({"cid": connection["cid"]}).encode()
                await self._nats.publish(KICK.format(server), cid, f"{self._inbox}.done")  # ignored without a reply
