"""A run gives out blocks for clients on other machines; a web process carries them."""

from __future__ import annotations

import asyncio

import pytest

from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.remote.blocks import RemoteAnswer, RemoteCommand, make_block
from dashboard.core.measurements.schedule import BlockPlan, Series
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.paths.clients.machines import MachineClient
from dashboard.core.paths.model import Path, PathKind
from dashboard.lab.machines import client_line
from dashboard.lab.machines.client_line import ClientLines
from dashboard.latency.remote_clients import ClientLostError
from tests.support.polling import others_run

PATH = Path(PathKind.FROM_MACHINE_ADDRESS, "", "@lab2", "host", address="192.0.2.2", port=80)
BLOCK = make_block(Series("s", PATH, Probe.HTTP), BlockPlan(0.1, 0.01, 100), Options(), 80)
CLIENTS = (MachineClient("lab2", NamespaceState(1)), MachineClient("other", NamespaceState(2)))


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_line, "POLL_S", 0.05)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A web process that has not called for half a second carries nothing."""
    monkeypatch.setattr(client_line, "CARRIER_S", 0.5)


async def test_a_block_is_carried_and_its_answer_reaches_the_run() -> None:
    lines = ClientLines()
    line = lines.open("run", ["lab2"])
    asked = asyncio.ensure_future(line.ask("lab2", BLOCK, 1.0))
    command = await lines.next("run", "web", CLIENTS, 0, None)
    assert (command.number, command.machine, command.block) == (1, "lab2", BLOCK)
    assert [one.name for one in await line.clients()] == ["lab2"], "a machine that was not chosen measures nothing"
    again = await lines.next("run", "web", (), 0, None)
    assert again == command, "a block that was not answered is given out again"
    idle = asyncio.ensure_future(lines.next("run", "web", (), 1, RemoteAnswer({"n": 5})))
    assert await asked == {"n": 5}
    assert await idle == RemoteCommand()
    late = await lines.next("run", "web", (), 1, RemoteAnswer({"n": 6}))
    assert late == RemoteCommand(), "a second answer changes nothing"


async def test_a_run_that_has_not_begun_is_waited_for() -> None:
    lines = ClientLines()
    assert await lines.next("run", "web", CLIENTS, 0, None) == RemoteCommand()
    waiting = asyncio.ensure_future(lines.next("run", "web", CLIENTS, 0, None))
    await others_run()
    line = lines.open("run", ["lab2"])
    assert [one.name for one in await line.clients()] == ["lab2"]
    assert await waiting == RemoteCommand()


@pytest.mark.usefixtures("impatient")
async def test_without_a_web_process_clients_have_a_reason_and_blocks_fail() -> None:
    line = ClientLines().open("run", ["lab2"])
    (client,) = await line.clients()
    assert (client.state, client.problem) == (
        None,
        "No web process relays the measurement to lab2. Start the measurement again.",
    )
    assert await line.ask("lab2", BLOCK, 0.0) == {"error": client.problem}


async def test_a_lost_machine_ends_its_blocks() -> None:
    lines = ClientLines()
    line = lines.open("run", ["lab2"])
    asked = asyncio.ensure_future(line.ask("lab2", BLOCK, 1.0))
    await lines.next("run", "web", CLIENTS, 0, None)
    await lines.next("run", "web", (), 1, RemoteAnswer({}, "lab2 does not respond."))
    with pytest.raises(ClientLostError, match="lab2 does not respond"):
        await asked


async def test_the_end_of_a_run_ends_the_call_of_the_web_process() -> None:
    lines = ClientLines()
    lines.open("run", ["lab2"])
    waiting = asyncio.ensure_future(lines.next("run", "web", CLIENTS, 0, None))
    await others_run()
    lines.close("run")
    assert (await waiting).is_over


@pytest.mark.usefixtures("impatient")
async def test_one_web_process_carries_a_run_until_it_is_silent() -> None:
    lines = ClientLines()
    assert lines.carry("run", "first")
    assert not lines.carry("run", "second")
    assert (await lines.next("run", "second", CLIENTS, 0, None)).is_over
    assert lines.carry("another", "second")
    async with asyncio.timeout(20):
        while not lines.carry("run", "second"):
            await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0.02)
    assert not lines.carry("run", "first")
