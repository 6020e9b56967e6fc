"""Messages over a real NATS server: permissions of each role, lost and new connections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from nats.aio.client import Client

from dashboard.bench.operations.postgres_nats import Nats, nats_server, temporary_folder
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
from tests.support.polling import eventually

#: What no role may use: everything at once, other applications, the server's own subjects and JetStream.
OTHERS = (">", "netmodes.>", "*", "*.*.*", "other.lab.call", "_INBOX.x", "$SYS.REQ.SERVER.PING", "$JS.API.INFO")
LAB_HEARS = (LAB_CALLS, LAB_CANCELS, LAB_WAKEUPS)
WEB_HEARS = (WEB_HEARTBEATS, WEB_JOURNALS, WEB_PEERS, f"{WEB_REPLIES}.a.1")
LAB_SAYS = (WEB_HEARTBEATS, WEB_JOURNALS, f"{WEB_REPLIES}.a.1")
WEB_SAYS = (*LAB_HEARS, WEB_PEERS)


@pytest.fixture(scope="module")
def nats() -> Iterator[Nats]:
    with temporary_folder() as folder, nats_server(folder) as server:
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
    await web.listen(f"{WEB_REPLIES}.me.*", received.append)
    assert await web.publish(LAB_CALLS, b"x", reply=f"{WEB_REPLIES}.me.1")
    await eventually(lambda: [message.is_unheard for message in received] == [True])
    with pytest.raises(ValueError, match="at most 1,000,000 bytes"):
        await web.publish(LAB_CALLS, b"x" * (MAX_MESSAGE_BYTES + 1))


async def test_a_wrong_password_is_reported_as_a_problem(nats: Nats) -> None:
    wrong = NatsConnection(nats.web_url.replace("web:", "web:not"))
    await wrong.open()
    assert "Authorization Violation" in wrong.problem
    await wrong.close()


async def test_without_an_address_nothing_is_connected() -> None:
    connection = NatsConnection()
    await connection.open()
    assert not connection.is_set_up()
    assert not await connection.publish(WEB_PEERS, b"x")
    await connection.close()
