"""LANs as pages create, show and remove them; the hosts are stand-ins."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import OperationalError

from dashboard.core.training.capacity import Capacity
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.hosts.registry import LanPlace
from dashboard.engine.protocol import EngineError
from dashboard.lab.lans import named_lans as module
from dashboard.lab.lans.named_lans import NamedLans
from dashboard.lab.lans.states import LanStage
from dashboard.lab.training.group_labs import GroupLabs
from tests.lab.lans.fake_machine import OFFICE, ROOM, Machine, reaches
from tests.support.polling import eventually


async def test_a_lan_is_created_shown_and_removed(lans: NamedLans, machine: Machine) -> None:
    machine.proceed.clear()
    assert await lans.create(OFFICE, 2, ROOM) == ""
    await reaches(lans, "office", LanStage.CREATING)
    assert await lans.create(OFFICE, 2, ROOM) == (
        "The LAN office already exists: choose another name, or remove it first."
    )
    machine.proceed.set()
    state = await reaches(lans, "office")
    assert [(host.id, host.addresses[0]) for host in state.hosts] == [
        ("office1", "192.0.2.2"),
        ("office2", "192.0.2.3"),
    ]
    assert state.neighbours == (("192.0.2.10", "2001:db8::10"),)
    lans.remove("office")

    async def is_gone() -> bool:
        return lans.states() == ()

    await eventually(is_gone)
    assert machine.lans == {}


async def test_a_refused_lan_is_not_created(lans: NamedLans) -> None:
    assert (await lans.create(replace(OFFICE, name="No"), 2, ROOM)).startswith("The name of a LAN")
    assert await lans.create(OFFICE, 99, ROOM) == "The number of hosts must be from 1 to 8, not 99."
    assert lans.states() == ()


async def test_delay_is_refused_where_the_kernel_has_no_netem(
    lans: NamedLans, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "netem_refusal", lambda: "This kernel cannot delay packets.")
    assert await lans.create(replace(OFFICE, delay_ms=5), 2, ROOM) == "This kernel cannot delay packets."
    assert await lans.create(replace(OFFICE, mtu=1400), 2, ROOM) == ""
    await reaches(lans, "office")


async def test_the_links_of_a_lan_are_created_as_the_page_requests_them(
    lans: NamedLans, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "netem_refusal", lambda: "")
    place = LanPlace("office", neighbours=3, mtu=1400, delay_ms=5, loss_percent=2)
    assert await lans.create(place, 2, ROOM) == ""
    state = await reaches(lans, "office")
    assert (state.mtu, state.delay_ms, state.loss_percent) == (1400, 5, 2)
    assert [host.lan for host in machine.lans["office"].hosts] == [replace(place, number=1), replace(place, number=2)]


async def test_a_lan_that_does_not_fit_on_the_machine_is_refused(lans: NamedLans, machine: Machine) -> None:
    problem = await lans.create(OFFICE, 3, Capacity(7, 2, "memory"))
    assert problem.startswith(
        "This machine has capacity for 2 more private hosts (limited by memory), and 7 are running."
    )
    assert await lans.create(OFFICE, 2, Capacity(0, 0, problem="No root.")) == "No root."
    assert lans.states() == ()
    machine.proceed.clear()
    assert await lans.create(OFFICE, 2, Capacity(7, 2, "memory")) == ""
    await eventually(lambda: lans.count_hosts() == 2)
    machine.add("cellar", 3)
    await eventually(lambda: lans.count_hosts() == 5)
    machine.proceed.set()
    await reaches(lans, "office")
    assert lans.count_hosts() == 5


async def test_a_lan_that_cannot_be_created_shows_why_until_it_is_dismissed(lans: NamedLans, machine: Machine) -> None:
    machine.failure = PrivateHostError("No memory.")
    assert await lans.create(OFFICE, 2, ROOM) == ""
    state = await reaches(lans, "office")
    assert (state.problem, state.hosts) == ("No memory.", ())
    lans.remove("office")
    assert lans.states() == ()


async def test_a_removal_that_the_database_prevents_shows_why_and_can_be_repeated(
    lans: NamedLans, labs: GroupLabs, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_host: str, _reason: str) -> None:
        raise OperationalError("database is locked")

    machine.add("office")
    await reaches(lans, "office")
    with monkeypatch.context() as broken:
        broken.setattr(labs, "forget", fail)
        lans.remove("office")
        problem = "The database does not answer: database is locked. Try again."
        await eventually(lambda: [state.problem for state in lans.states()] == [problem])
    assert list(machine.lans) == ["office"]
    await reaches(lans, "office")
    lans.remove("office")
    await eventually(lambda: lans.states() == ())


async def test_a_swarm_is_formed_and_ended(lans: NamedLans, machine: Machine) -> None:
    machine.add("office")
    assert not (await reaches(lans, "office")).swarm
    for wanted in (True, False):
        lans.set_swarm("office", wanted=wanted)

        async def is_as_wanted(wanted: bool = wanted) -> bool:
            (state,) = lans.states()
            return (state.swarm, state.stage) == (wanted, LanStage.READY)

        await eventually(is_as_wanted)
    machine.failure = EngineError("No manager.", 500)
    lans.set_swarm("office", wanted=True)

    async def has_failed() -> bool:
        (state,) = lans.states()
        return state.problem == "No manager."

    await eventually(has_failed)


async def test_the_state_of_a_lan_is_shown_without_reading_files(lans: NamedLans, machine: Machine) -> None:
    machine.add("office")
    state = await reaches(lans, "office")
    file = machine.folder / "netns-neighbour"
    file.unlink()
    file.mkdir()  # cannot be read
    assert lans.states() == (state,)


async def test_hosts_that_are_missing_are_counted(lans: NamedLans, machine: Machine) -> None:
    lan = machine.add("office")
    machine.lans["office"] = replace(
        lan, hosts=tuple(replace(host, lan=replace(host.lan, hosts=3)) for host in lan.hosts)
    )
    assert (await reaches(lans, "office")).missing == 1


async def test_a_swarm_that_another_command_formed_or_ended_is_shown(lans: NamedLans, machine: Machine) -> None:
    machine.add("office")
    await reaches(lans, "office")
    for swarm in (True, False):
        machine.swarm = swarm

        def is_shown(swarm: bool = swarm) -> bool:
            return [state.swarm for state in lans.states()] == [swarm]

        await eventually(is_shown)
