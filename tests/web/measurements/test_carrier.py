"""A web process carries blocks between two labs, which are simulated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.remote.blocks import RemoteAnswer, RemoteCommand, make_block
from dashboard.core.measurements.schedule import BlockPlan, Series
from dashboard.core.paths.clients.machines import MachineClient
from dashboard.core.paths.clients.overlay import OverlayArm
from dashboard.core.paths.model import Path, PathKind
from dashboard.lab.machines import blocks
from dashboard.lab.supervisor import LabUnavailableError
from dashboard.models import Machine, MeasurementClient
from dashboard.store import experiments as experiment_store
from dashboard.store.measurements import clients as measurement_clients
from dashboard.web.http.database import to_db_thread
from dashboard.web.measurements import carrier
from dashboard.web.measurements.carrier import BlockCarriers
from dashboard.web.operations.machines.clients import DRAINED
from dashboard.web.service import Service
from tests.support.polling import eventually
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db(transaction=True)
PATH = Path(PathKind.FROM_MACHINE_ADDRESS, "", "@lab2", "host", address="192.0.2.2", port=80)
BLOCK = make_block(Series("s", PATH, Probe.HTTP), BlockPlan(0.1, 0.01, 100), Options(), 80)

ARM = OverlayArm("part2", "overlay-lab2", "overlay-lab2", {})


class Labs(Service):
    """Both labs: that of the installation runs the measurement, lab2 lends a client. ``calls`` are the calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []
        self.commands = [RemoteCommand(1, "lab2", BLOCK), RemoteCommand(2, "lab2", BLOCK)]
        self.is_carried = True
        self.measure: Callable[[], RemoteAnswer] = lambda: RemoteAnswer({"n": 1})
        self.is_free = asyncio.Event()  # a block is measured when it is set
        self.is_free.set()

    async def ask_on(self, machine: Any, host: str, function: Any, *args: Any, **_: Any) -> Any:
        self.calls.append((machine, function.__name__, *args))
        if function is blocks.carry_blocks:
            return self.is_carried
        if function is blocks.next_block:
            return self.commands.pop(0) if self.commands else RemoteCommand(is_over=True)
        if function is blocks.measure_block:
            await self.is_free.wait()
            return self.measure()
        return True


@pytest.fixture
def labs(monkeypatch: pytest.MonkeyPatch) -> Labs:
    async def view(
        names: tuple[str, ...], problems: dict[str, str], _arms: dict[str, OverlayArm]
    ) -> tuple[MachineClient, ...]:
        return tuple(MachineClient(name, problem=problems[name]) for name in names)

    monkeypatch.setattr(carrier, "view_clients", view)
    monkeypatch.setattr(carrier, "overlay_arms", lambda _experiment: {"lab2": ARM})
    monkeypatch.setattr(carrier, "other_machines", lambda _machine: {"lab2": ""})
    monkeypatch.setattr(carrier, "PAUSE_S", 60.0)
    return Labs()


def name_of(labs: Labs) -> str:
    """The name of the carrier."""
    return str(labs.calls[0][3]) if labs.calls else ""


async def create_run() -> str:
    def create() -> str:
        experiment = experiment_store.create_experiment(make_spec("host"))
        return measurement_clients.create_run(("lab2", "left"), experiment, "t", [Probe.HTTP], Options(), 1)

    return await to_db_thread(create)


async def test_each_block_goes_to_the_client_and_its_answer_back(labs: Labs) -> None:
    run, carriers = await create_run(), BlockCarriers(labs)
    await carriers.look()
    await carriers.look()
    await eventually(lambda: ("left", "end_client", run, name_of(labs)) in labs.calls)
    name = labs.calls[0][3]
    clients = (MachineClient("lab2"), MachineClient("left", problem="The machine left has left the installation."))
    assert labs.calls[:6] == [
        (None, "carry_blocks", run, name),
        (None, "next_block", run, name, clients, 0, None),
        ("lab2", "measure_block", run, name, BLOCK, ARM),
        (None, "next_block", run, name, (), 1, RemoteAnswer({"n": 1})),
        ("lab2", "measure_block", run, name, BLOCK, ARM),
        (None, "next_block", run, name, (), 2, RemoteAnswer({"n": 1})),
    ]
    assert ("lab2", "end_client", run, name_of(labs)) in labs.calls
    await carriers.close()


@pytest.mark.parametrize("error", [LabUnavailableError("lab2 does not respond."), ValueError("It sends nothing.")])
async def test_the_failure_of_a_client_is_reported_to_the_run(labs: Labs, error: Exception) -> None:
    def fail() -> RemoteAnswer:
        raise error

    labs.measure = fail
    carriers = BlockCarriers(labs)
    await create_run()
    await carriers.look()
    told = (RemoteAnswer({}, str(error)),)
    await eventually(lambda: [one for one in labs.calls if one[1] == "next_block" and one[-1:] == told])
    await carriers.close()


async def test_a_block_for_a_machine_that_was_not_chosen_is_not_carried(labs: Labs) -> None:
    labs.commands = [RemoteCommand(1, "server", BLOCK)]
    carriers, run = BlockCarriers(labs), await create_run()
    await carriers.look()
    await eventually(lambda: ("lab2", "end_client", run, name_of(labs)) in labs.calls)
    assert not [one for one in labs.calls if one[1] == "measure_block"]
    await carriers.close()


async def test_a_run_that_another_process_carries_is_left_alone(labs: Labs) -> None:
    labs.is_carried = False
    await create_run()
    carriers = BlockCarriers(labs)
    await carriers.look()
    await eventually(lambda: labs.calls)
    await carriers.look()
    await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0.1)
    assert [one[1] for one in labs.calls] == ["carry_blocks"], "the pause is kept"
    await carriers.close()


async def test_a_long_block_is_carried_by_the_same_process(labs: Labs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier, "RENEW_S", 0.01)
    labs.is_free.clear()
    carriers, run = BlockCarriers(labs), await create_run()
    await carriers.look()
    renewed = (None, "carry_blocks", run)
    await eventually(lambda: [one[:3] for one in labs.calls].count(renewed) > 3)
    assert labs.calls[2][1] == "measure_block"
    labs.is_free.set()
    await eventually(lambda: ("lab2", "end_client", run, name_of(labs)) in labs.calls)
    assert [one[1] for one in labs.calls].count("measure_block") == 2
    await carriers.close()


async def test_a_lab_that_never_ends_its_run_gets_no_more_blocks(labs: Labs) -> None:
    run = await create_run()
    labs.commands = [RemoteCommand(number, "lab2", BLOCK) for number in range(1, 1000)]

    labs.is_free.clear()
    carriers = BlockCarriers(labs)
    await carriers.look()
    await eventually(lambda: [one for one in labs.calls if one[1] == "measure_block"])
    await to_db_thread(lambda: MeasurementClient.objects.update(valid_until=Now() - timedelta(seconds=1)))
    labs.is_free.set()
    await eventually(lambda: ("lab2", "end_client", run, name_of(labs)) in labs.calls)
    assert [one[1] for one in labs.calls].count("measure_block") == 1
    await carriers.look()
    assert [one[1] for one in labs.calls].count("carry_blocks") == 1
    await carriers.close()


async def test_a_machine_that_is_drained_during_a_run_measures_no_more(labs: Labs) -> None:
    run = await create_run()
    labs.is_free.clear()
    carriers = BlockCarriers(labs)
    await carriers.look()
    await eventually(lambda: [one for one in labs.calls if one[1] == "measure_block"])
    await to_db_thread(lambda: Machine.objects.create(name="lab2", joined_at=0.0, is_draining=True))
    labs.is_free.set()
    await eventually(lambda: ("lab2", "end_client", run, name_of(labs)) in labs.calls)
    assert [one[1] for one in labs.calls].count("measure_block") == 1
    answers = [one[-1] for one in labs.calls if one[1] == "next_block"]
    assert answers[1:] == [RemoteAnswer({"n": 1}), RemoteAnswer({}, DRAINED.format("lab2"))]
    await carriers.close()
