"""Admits machines to NATS with permissions for their own subjects, and closes the connections of revoked machines.

NATS sends a request (auth callout) to one web process whenever a client connects as a user that ``nats.conf`` does not
contain. So no file has to be written or reloaded, and a revoked machine is refused at once.
"""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from dashboard.core.operations.nats_jwt import admission, parse_request, refusal
from dashboard.lab.remote.nats_connection import Message, NatsConnection, subjects_of
from dashboard.nats_issuer import issuer_key, public_name
from dashboard.store import machines
from dashboard.web.http.database import to_db_thread

log = logging.getLogger(__name__)
AUTH, AUTH_QUEUE = "$SYS.REQ.USER.AUTH", "netmodes-web"
CONNECTIONS, KICK = "$SYS.REQ.ACCOUNT.PING.CONNZ", "$SYS.REQ.SERVER.{}.KICK"
#: Seconds between two searches for connections of revoked machines, since a message may be lost or NATS unreachable.
PASS_S = 5.0


class NatsAccess:
    """Answers authorization requests of NATS servers, in the server's event loop.

    ``refuse`` is called with the names of all revoked machines, to stop calls to them. ``has_key`` returns whether a
    machine (the first argument) has a key. ``list_revoked`` returns the names of the revoked machines.
    """

    def __init__(
        self,
        nats: NatsConnection,
        refuse: Callable[[frozenset[str]], None],
        has_key: Callable[[str, str], bool] = machines.has_key,
        list_revoked: Callable[[], frozenset[str]] = machines.list_revoked,
    ) -> None:
        self._nats = nats
        self._refuse = refuse
        self._has_key, self._list_revoked = has_key, list_revoked
        self._sign = issuer_key(settings.SECRET_KEY).sign
        self._issuer = public_name(settings.SECRET_KEY)
        self._inbox = f"netmodes.web.system.{secrets.token_hex(8)}"
        self._revoked: frozenset[str] = frozenset()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Starts to answer requests, and to close the connections of revoked machines."""
        await self._nats.listen(AUTH, lambda message: self._run(self._answer(message)), AUTH_QUEUE)
        await self._nats.listen(self._inbox, lambda message: self._run(self._kick(message)))
        self._run(self._watch())

    async def close(self) -> None:
        """Stops all tasks of this object."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="nats-access")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Message) -> None:
        request, now = parse_request(message.data), int(time.time())
        try:
            is_admitted = await to_db_thread(self._has_key, request.user, request.password)
        except DatabaseError as error:
            log.warning("the connection of %.40r to NATS cannot be checked: %s", request.user, error)
            return  # without an answer, the machine tries again
        if is_admitted:
            answer = admission(request, self._issuer, self._sign, now, *subjects_of(request.user))
        else:
            answer = refusal(request, self._issuer, self._sign, now, "no machine has this name and key")
        await self._nats.publish(message.reply, answer)

    async def _watch(self) -> None:
        while True:
            await self.end_revoked()
            await asyncio.sleep(PASS_S)

    async def end_revoked(self) -> None:
        """Stops calls to revoked machines, and requests a list of all connections from each NATS server.

        ``_kick`` receives the lists and closes the connections of revoked machines.
        """
        try:
            self._revoked = await to_db_thread(self._list_revoked)
        except DatabaseError as error:
            log.warning("revoked machines cannot be looked up: %s", error)
            return  # the next pass tries again
        self._refuse(self._revoked)
        if self._revoked:
            await self._nats.publish(CONNECTIONS, json.dumps({"auth": True}).encode(), self._inbox)

    async def _kick(self, message: Message) -> None:
        """Closes the connections of revoked machines among those that a NATS server has listed."""
        listed = json.loads(message.data)
        for connection in listed["data"]["connections"]:
            if connection.get("authorized_user") in self._revoked:
                kick = KICK.format(listed["server"]["id"])
                cid = json.dumps({"cid": connection["cid"]}).encode()
                await self._nats.publish(kick, cid, f"{self._inbox}.done")  # NATS ignores it without a reply subject
