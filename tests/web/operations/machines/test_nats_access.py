"""Access of machines to NATS; tests/team/test_machine_access.py admits and disconnects one with a real server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.db import DatabaseError

from dashboard.lab.remote.nats_connection import Handler, Message
from dashboard.web.operations.machines import nats_access
from dashboard.web.operations.machines.nats_access import CONNECTIONS, NatsAccess
from tests.support.polling import eventually


class Nats:
    """A server with connections of machines. It loses the first ``lost`` messages."""

    def __init__(self) -> None:
        self.connected = {1: "web", 2: "lab2", 3: "lab3", 4: "lab4"}
        self.lost = 0
        self._handlers: dict[str, Handler] = {}

    async def listen(self, subject: str, handle: Handler, _queue: str = "") -> None:
        self._handlers[subject] = handle

    async def publish(self, subject: str, data: bytes, reply: str = "") -> bool:
        if self.lost:
            self.lost -= 1
            return False
        if subject == CONNECTIONS:
            listed: Any = [{"cid": cid, "authorized_user": user} for cid, user in self.connected.items()]
            body = json.dumps({"server": {"id": "N1"}, "data": {"connections": listed}}).encode()
            self._handlers[reply](Message(reply, body))
        elif subject == "$SYS.REQ.SERVER.N1.KICK":
            del self.connected[json.loads(data)["cid"]]
        return True


class Revoked:
    """The revoked machines: ``stored`` in the database, ``refused`` by a web process that was notified."""

    def __init__(self) -> None:
        self.stored: frozenset[str] = frozenset()
        self.refused: frozenset[str] = frozenset()
        self.is_broken = False

    def list(self) -> frozenset[str]:
        if self.is_broken:
            raise DatabaseError("no database")
        return self.stored

    def refuse(self, names: frozenset[str]) -> None:
        self.refused = names


@pytest.fixture
def nats() -> Nats:
    return Nats()


@pytest.fixture
def revoked() -> Revoked:
    return Revoked()


@pytest.fixture
async def access(
    nats: Nats, revoked: Revoked, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> AsyncIterator[NatsAccess]:
    monkeypatch.setattr(nats_access, "PASS_S", 0.05)
    started = NatsAccess(nats, revoked.refuse, lambda _name, _key: False, revoked.list)  # type: ignore[arg-type]
    await started.start()
    yield started
    await started.close()


async def test_machines_that_are_revoked_one_after_the_other_all_lose_their_connections(
    access: NatsAccess, nats: Nats, revoked: Revoked
) -> None:
    for name in ("lab2", "lab3"):
        revoked.stored |= {name}
        await access.end_revoked()
    await eventually(lambda: nats.connected == {1: "web", 4: "lab4"})
    assert revoked.refused == {"lab2", "lab3"}


@pytest.mark.parametrize("lost", [1, 3])
async def test_a_lost_message_or_a_machine_that_was_just_admitted_leaves_no_connection(
    access: NatsAccess, nats: Nats, revoked: Revoked, lost: int
) -> None:
    revoked.stored, nats.lost = frozenset({"lab2"}), lost
    await access.end_revoked()
    await eventually(lambda: 2 not in nats.connected)
    nats.connected[5] = "lab2"
    await eventually(lambda: 5 not in nats.connected)
    assert nats.connected == {1: "web", 3: "lab3", 4: "lab4"}


async def test_an_error_of_the_database_is_passed_over(access: NatsAccess, nats: Nats, revoked: Revoked) -> None:
    revoked.is_broken = True
    await access.end_revoked()
    revoked.is_broken, revoked.stored = False, frozenset({"lab4"})
    await eventually(lambda: 4 not in nats.connected)
