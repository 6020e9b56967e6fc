"""Messages over a real NATS server: permissions of each role, lost and new connections."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from nats.aio.client import Client

from dashboard.bench.operations.postgres_nats import Nats, temporary_folder
from dashboard.lab.remote.nats_connection import (
    LAB_CALLS,
    LAB_CANCELS,
    LAB_WAKEUPS,
    MAX_MESSAGE_BYTES,
    WEB_HEARTBEATS,
    WEB_JOURNALS,
    WEB_PEERS,
    WEB_REPLIES,
    Message,
    NatsConnection,
)
from dashboard.web.operations.peer_processes import VALID_S
from dashboard.web.operations.peer_sync import CHECK_S, MIN_PAUSE_S, PRESENCE_S
from tests.support.polling import eventually

#: Subjects that no role may use: everything at once, other applications, the server's own subjects and JetStream.
OTHERS = (">", "netmodes.>", "*", "*.*.*", "other.lab.call", "_INBOX.x", "$SYS.REQ.SERVER.PING", "$JS.API.INFO")
LAB_HEARS = (f"{LAB_CALLS}.server.a.0", f"{LAB_CANCELS}.server.a.0", LAB_WAKEUPS)
LAB_SAYS = (f"{WEB_HEARTBEATS}.server", f"{WEB_JOURNALS}.server", f"{WEB_REPLIES}.server.a.1")
WEB_HEARS = (*LAB_SAYS, WEB_PEERS)
WEB_SAYS = (*LAB_HEARS, WEB_PEERS)


@pytest.fixture(scope="module")
def nats() -> Iterator[Nats]:
    with temporary_folder() as folder, Nats(folder) as server:
        yield server


@pytest.fixture
async def web(nats: Nats) -> AsyncIterator[NatsConnection]:
    connection = NatsConnection(nats.web_url)
    yield connection
    await connection.close()


async def refused(url: str, say: tuple[str, ...], hear: tuple[str, ...]) -> int:
    """How many of these subjects the server refuses."""
    errors: list[Exception] = []

    async def note(error: Exception) -> None:
        errors.append(error)

    client = Client()
    await client.connect(url, error_cb=note, allow_reconnect=False)
    for subject in say:
        await client.publish(subject, b"x")
    for subject in hear:
        await client.subscribe(subject)
    await eventually(lambda: not client.pending_data_size)  # a flush overtakes what is pending
    await client.flush()
    await client.close()
    assert all("permissions violation" in str(error) for error in errors)
    return len(errors)


@pytest.mark.parametrize(("role", "says", "hears"), [("web", WEB_SAYS, WEB_HEARS), ("lab", LAB_SAYS, LAB_HEARS)])
async def test_each_role_publishes_and_receives_only_its_own_subjects(
    nats: Nats, role: str, says: tuple[str, ...], hears: tuple[str, ...]
) -> None:
    url = nats.web_url if role == "web" else nats.lab_url
    assert await refused(url, says, hears) == 0
    not_said = tuple(subject for subject in (*LAB_HEARS, *WEB_HEARS) if subject not in says)
    not_said += tuple(subject for subject in OTHERS if "*" not in subject and ">" not in subject)
    not_heard = tuple(subject for subject in (*LAB_HEARS, *WEB_HEARS) if subject not in hears) + OTHERS
    assert await refused(url, not_said, not_heard) == len(not_said) + len(not_heard) >= 17


async def test_a_connection_reopens_with_its_listeners_and_reports_that_messages_were_lost(
    nats: Nats, web: NatsConnection
) -> None:
    received: list[Message] = []
    starts: list[str] = []
    web.on_connect.append(lambda: starts.append("start"))
    web.on_loss.append(lambda: starts.append("loss"))
    await web.listen(WEB_PEERS, received.append)
    await web.open()
    assert (web.problem, starts) == ("", ["start"])
    other = NatsConnection(nats.web_url)
    await other.open()
    assert await other.publish(WEB_PEERS, b"one")
    await eventually(lambda: [message.data for message in received] == [b"one"])
    assert await web.publish(WEB_PEERS, b"own"), "a process does not receive its own messages"
    nats.stop()
    await eventually(lambda: "does not answer" in web.problem)
    assert not await web.publish(WEB_PEERS, b"lost")
    nats.start()
    await eventually(lambda: not web.problem and not other.problem)
    assert starts == ["start", "loss", "start"]
    assert await other.publish(WEB_PEERS, b"two")
    await eventually(lambda: [message.data for message in received] == [b"one", b"two"])
    await other.close()


async def test_a_message_without_a_subscriber_is_returned_at_once(web: NatsConnection) -> None:
    received: list[Message] = []
    await web.open()
    await web.listen(f"{WEB_REPLIES}.server.me.*", received.append)
    assert await web.publish(f"{LAB_CALLS}.server.a.0", b"x", reply=f"{WEB_REPLIES}.server.me.1")
    await eventually(lambda: [message.is_unheard for message in received] == [True])
    with pytest.raises(ValueError, match="at most 1,000,000 bytes"):
        await web.publish(LAB_CALLS, b"x" * (MAX_MESSAGE_BYTES + 1))


async def test_a_wrong_password_is_reported_as_a_problem(nats: Nats) -> None:
    wrong = NatsConnection(nats.web_url.replace("web:", "web:not"))
    await wrong.open()
    assert "Authorization Violation" in wrong.problem
    await wrong.close()


async def test_without_its_package_the_problem_tells_what_to_install(
    web: NatsConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("nats.aio.client", "nats.errors"):
        monkeypatch.setitem(sys.modules, name, None)
    await web.open()
    assert "Install Netmodes with the extra “team”" in web.problem
    assert not await web.publish(WEB_PEERS, b"x")


async def test_connecting_is_retried_after_an_invalid_address_or_an_unexpected_failure(
    nats: Nats, web: NatsConnection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    invalid = NatsConnection("nats://:4222")
    await invalid.open()
    assert "invalid hostname" in invalid.problem
    assert invalid._running is not None
    connect, failures = Client.connect, [RuntimeError("unexpected")]

    async def fail_once(self: Client, *arguments: Any, **options: Any) -> None:
        if failures:
            raise failures.pop()
        await connect(self, *arguments, **options)

    monkeypatch.setattr(Client, "connect", fail_once)
    await web.open()
    assert "unexpected" in web.problem
    assert "Traceback" in caplog.text
    await eventually(lambda: not web.problem)
    assert not invalid._running.done()
    await invalid.close()


async def test_a_listener_that_comes_while_a_connection_starts_or_ends_receives_messages(
    nats: Nats, web: NatsConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[bytes] = []
    flush, late = Client.flush, [(f"{WEB_JOURNALS}.server", lambda message: received.append(message.data))]

    async def listen_meanwhile(self: Client, *arguments: Any) -> None:
        await flush(self, *arguments)
        if late:
            await web.listen(*late.pop())

    await web.listen(WEB_PEERS, lambda _: None)
    monkeypatch.setattr(Client, "flush", listen_meanwhile)
    await web.open()
    lab = NatsConnection(nats.lab_url)
    await lab.open()
    await lab.publish(f"{WEB_JOURNALS}.server", b"one")
    await eventually(lambda: received == [b"one"])
    assert web._client is not None
    await web._client.close()
    # The loss is not yet noticed.
    await web.listen(f"{WEB_HEARTBEATS}.server", lambda message: received.append(message.data))

    async def is_received() -> bool:
        await lab.publish(f"{WEB_HEARTBEATS}.server", b"two")
        return b"two" in received

    await eventually(is_received)
    await lab.close()


async def test_a_silent_server_is_noticed_before_presence_expires_and_a_waiting_send_can_be_cancelled(
    nats: Nats, web: NatsConnection
) -> None:
    await web.open()
    other = NatsConnection(nats.web_url)
    await other.open()

    sent: list[bool] = []

    async def send_all() -> None:
        while True:
            sent.append(await web.publish(WEB_PEERS, b"x" * MAX_MESSAGE_BYTES))

    os.kill(nats.pid, signal.SIGSTOP)
    try:
        sending = asyncio.ensure_future(send_all())
        before = -1
        while before != len(sent):
            before = len(sent)
            await asyncio.wait([sending], timeout=0.3)
        sending.cancel()
        await asyncio.wait([sending], timeout=10.0)
        assert all(sent)
        assert sending.cancelled()
        # Until then the last report of another process is still valid, even if it is as old as it can be.
        await eventually(lambda: other.problem, VALID_S - PRESENCE_S - CHECK_S - MIN_PAUSE_S)
    finally:
        os.kill(nats.pid, signal.SIGCONT)
    await eventually(lambda: not web.problem and not other.problem)
    await other.close()


async def test_without_an_address_nothing_is_connected() -> None:
    connection = NatsConnection()
    await connection.open()
    assert not connection.is_set_up()
    assert not await connection.publish(WEB_PEERS, b"x")
    await connection.close()
