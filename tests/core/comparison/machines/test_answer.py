"""The answer for an experiment on two machines."""

from __future__ import annotations

from dataclasses import replace

from dashboard.core.comparison.answer.answer import write_answer
from dashboard.core.comparison.machines.answer import answer
from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.launching.ports import HostPort, PortUser
from dashboard.core.experiments.messages import ArmStatus, ExperimentRef
from dashboard.core.experiments.stream import row_id
from tests.core.builders import end
from tests.core.machine_scenes import LAB2, SERVER, scene_of, share, two_machines
from tests.core.scenes import make_scene


def test_the_answer_of_one_machine_is_that_of_a_single_experiment() -> None:
    columns, states = make_scene(("host", "bridge"))
    rows = compare(columns, states)
    assert answer(columns, rows, states) == write_answer(columns, rows, states)


def test_engines_and_kernels_come_first() -> None:
    columns, states = two_machines()
    rows = compare(columns, states)
    differences = answer(columns, rows, states).differences
    assert [one.sentence for one in differences[:3]] == [
        "Engine: Docker Engine 28.5.2 on server, Docker Engine 26.1.5 on lab2.",
        "Kernel: 6.12.0 on server, 6.1.0 on lab2.",
        "Firewall backend: nftables on server, iptables on lab2.",
    ]
    assert {one.row for one in differences} <= {row_id(row) for row in rows}


def test_a_difference_that_several_machines_have_is_stated_once() -> None:
    """Their arms have different titles, and each machine its own addresses and numbers."""
    columns, states = two_machines()
    found = answer(columns, compare(columns, states), states).differences
    modes = [one.sentence for one in found if one.rule != "engines"]
    assert modes[0] == "On server and lab2: host uses this machine's network namespace; bridge has its own."
    assert not [sentence for sentence in modes if "host-lab2" in sentence or "bridge-lab2" in sentence]
    assert len({one.rule for one in found if one.rule != "engines"}) == len(modes)


def test_a_difference_with_other_values_is_stated_for_each_machine() -> None:
    columns, states = two_machines(facts=(SERVER, SERVER))
    other = states["bridge-lab2"]
    assert other.resolver is not None
    states["bridge-lab2"] = replace(other, resolver=replace(other.resolver, nameservers=("198.51.100.53",)))
    found = answer(columns, compare(columns, states), states).differences
    resolvers = [one.sentence for one in found if one.rule == "resolver"]
    assert [sentence.partition(" uses")[0] for sentence in resolvers] == [
        "On server: Name servers: host",
        "On lab2: Name servers: host-lab2",
    ]


def test_a_difference_between_modes_names_the_machine_that_has_it() -> None:
    columns, states = share([scene_of("server", ("host", "bridge"), SERVER), scene_of("lab2", ("none", "host"), LAB2)])
    found = answer(columns, compare(columns, states), states).differences
    modes = [one.sentence for one in found if one.rule != "engines"]
    assert modes
    assert all(sentence.startswith(("On server: ", "On lab2: ")) for sentence in modes)


def test_trouble_names_its_machine_and_the_holder_there() -> None:
    columns, states = two_machines()
    error = "driver failed programming: Bind for 0.0.0.0:8080 failed: port is already allocated"
    columns = end(columns, "bridge-lab2", ArmStatus.REFUSED, error=error, asked=())
    other = ExperimentRef("other", "Shop")
    users = [
        PortUser("e" * 64, "experiment “Shop”", (HostPort(8080),), other, machine) for machine in ("server", "lab2")
    ]
    found = answer(columns, compare(columns, states), states, users[:1])
    assert all(sentence.startswith("lab2: ") for sentence in found.trouble)
    assert other not in found.holders
    assert other in answer(columns, compare(columns, states), states, users).holders
