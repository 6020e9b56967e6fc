"""Wake-ups are sent in the order in which they were last given, also while an earlier send is in flight."""

from __future__ import annotations

import msgspec
import pytest

from dashboard.lab.remote import wakeups
from dashboard.lab.remote.nats_connection import WEB_PEERS, NatsConnection
from dashboard.lab.remote.wakeups import WakeupChannel
from tests.support.polling import eventually, others_run


class Connection(NatsConnection):
    """Records what is published."""

    def __init__(self) -> None:
        super().__init__("nats://127.0.0.1")
        self.sent: list[list[str]] = []

    async def publish(self, subject: str, data: bytes, reply: str = "") -> bool:
        self.sent += msgspec.json.decode(data)
        return True


async def sent(*given: tuple[str, ...]) -> list[list[str]]:
    connection = Connection()
    channel = WakeupChannel(connection)
    await channel.open()
    for wakeup in given:
        channel.send(WEB_PEERS, *wakeup)
    await others_run()
    await eventually(lambda: connection.sent)
    await channel.close()
    return connection.sent


async def test_a_repeated_wake_up_is_sent_once_and_after_those_before_its_repetition() -> None:
    old, new = ("renamed", "1", "old"), ("renamed", "1", "new")
    assert await sent(old, new, old) == [[*new], [*old]]


async def test_too_many_wake_ups_become_one_for_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakeups, "MAX_PENDING", 2)
    assert await sent(("look", "1"), ("look", "2"), ("look", "2")) == [["look", "1"], ["look", "2"]]
    assert await sent(("look", "1"), ("look", "2"), ("look", "3")) == [["all"]]
