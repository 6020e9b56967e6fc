"""The machine of each private host: nothing is overcommitted, or moved without need; the order decides nothing."""

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.bench.operations.placement import HOSTS_MB, MACHINES_MB, SEED, simulate, with_machines
from dashboard.core.machines.placement import (
    AFFINITY_HOSTS,
    AFFINITY_SLACK,
    Demand,
    MachineOffer,
    Placement,
    Resources,
    place,
)

LABELS = st.frozensets(st.sampled_from(["ssd", "lab", "arm"]), max_size=2)
OFFERS = st.builds(Resources, st.integers(0, 4096), st.integers(0, 2048), st.integers(0, 12))
NEEDS = st.builds(Resources, st.integers(1, 1024), st.integers(1, 512))


@st.composite
def machines_of(draw: st.DrawFn) -> list[MachineOffer]:
    names = draw(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=6))
    return [
        MachineOffer(name, draw(OFFERS), draw(LABELS), draining=draw(st.booleans()), present=draw(st.booleans()))
        for name in names
    ]


@st.composite
def demands_of(draw: st.DrawFn, *, placed: bool = False) -> list[Demand]:
    return [
        Demand(
            f"{number}",
            draw(NEEDS),
            affinity=draw(st.sampled_from(["", "s1", "s2"])),
            labels=draw(st.one_of(st.just(frozenset[str]()), LABELS)),
            machine=draw(st.sampled_from([None, "a", "b", "z"])) if placed else None,
        )
        for number in range(draw(st.integers(0, 20)))
    ]


def used(demands: list[Demand], placement: Placement, machine: str) -> Resources:
    on = [demand.needs for demand in demands if placement.machines.get(demand.key) == machine]
    return Resources(sum(each.memory_mb for each in on), sum(each.pids for each in on), sum(each.hosts for each in on))


def fits(needs: Resources, offers: Resources) -> bool:
    return needs.memory_mb <= offers.memory_mb and needs.pids <= offers.pids and needs.hosts <= offers.hosts


@given(machines_of(), demands_of())
def test_no_machine_is_overcommitted(machines: list[MachineOffer], demands: list[Demand]) -> None:
    placement = place(machines, demands)
    for machine in machines:
        needed = used(demands, placement, machine.name)
        assert needed.hosts == 0 or fits(needed, machine.offers)


@given(machines_of(), demands_of(placed=True))
def test_a_host_goes_only_where_it_may_and_stays_where_it_is(
    machines: list[MachineOffer], demands: list[Demand]
) -> None:
    placement = place(machines, demands)
    by_name = {machine.name: machine for machine in machines}
    assert placement.machines.keys() | placement.refused.keys() == {demand.key for demand in demands}
    assert not placement.machines.keys() & placement.refused.keys()
    for demand in demands:
        current = by_name.get(demand.machine or "")
        if current is not None and current.present:
            assert placement.machines[demand.key] == current.name
        elif demand.key in placement.machines:
            machine = by_name[placement.machines[demand.key]]
            assert machine.present
            assert not machine.draining
            assert demand.labels <= machine.labels
            assert fits(used(demands, placement, machine.name), machine.offers)


@given(machines_of(), demands_of(placed=True))
def test_a_refused_host_fits_nowhere_and_the_reason_is_a_sentence(
    machines: list[MachineOffer], demands: list[Demand]
) -> None:
    placement = place(machines, demands)
    for demand in demands:
        if demand.key not in placement.refused:
            continue
        assert placement.refused[demand.key].endswith(".")
        for machine in machines:
            if not machine.present or machine.draining or not demand.labels <= machine.labels:
                continue
            taken = used(demands, placement, machine.name)
            needs = demand.needs
            together = Resources(taken.memory_mb + needs.memory_mb, taken.pids + needs.pids, taken.hosts + 1)
            assert not fits(together, machine.offers)


@given(machines_of(), demands_of(placed=True), st.randoms())
def test_the_order_of_machines_decides_nothing(
    machines: list[MachineOffer], demands: list[Demand], order: random.Random
) -> None:
    shuffled = list(machines)
    order.shuffle(shuffled)
    assert place(shuffled, demands) == place(machines, demands)


@given(machines_of(), demands_of(), OFFERS)
def test_a_new_machine_moves_nothing(machines: list[MachineOffer], demands: list[Demand], offers: Resources) -> None:
    before = place(machines, demands)
    after = place([*machines, MachineOffer("new", offers)], with_machines(demands, before))
    assert {key: after.machines[key] for key in before.machines} == before.machines


@given(machines_of(), demands_of(), st.booleans())
def test_a_machine_that_goes_away_moves_only_the_hosts_that_it_held(
    machines: list[MachineOffer], demands: list[Demand], removed: bool
) -> None:
    before = place(machines, demands)
    gone = machines[0].name if machines else ""
    left = machines[1:] if removed else [replace(machine, present=machine.name != gone) for machine in machines]
    after = place([machine for machine in left if machine.present or not removed], with_machines(demands, before))
    present = {machine.name for machine in left if machine.present}
    for key, machine in before.machines.items():
        if machine in present:
            assert after.machines[key] == machine
        else:
            assert after.machines.get(key) != machine


@given(
    st.integers(2, 8),
    st.integers(512, 8192),
    st.lists(st.tuples(st.integers(16, 512), st.sampled_from(["", "s1", "s2", "s3"])), max_size=60),
)
def test_equal_machines_are_filled_equally(count: int, memory_mb: int, wanted: list[tuple[int, str]]) -> None:
    machines = [MachineOffer(f"m{number}", Resources(memory_mb, 10**6, 10**6)) for number in range(count)]
    demands = [Demand(f"{number}", Resources(needed, 0), session) for number, (needed, session) in enumerate(wanted)]
    placement = place(machines, demands)
    filled = [used(demands, placement, machine.name).memory_mb / memory_mb for machine in machines]
    largest = max((demand.needs.memory_mb for demand in demands), default=0) / memory_mb
    assert max(filled) - min(filled) <= max(AFFINITY_SLACK, largest) + 1e-9


MACHINE = MachineOffer("a", Resources(8000, 8000, 100))


def test_hosts_of_a_session_stay_together_up_to_the_limit() -> None:
    machines = [replace(MACHINE, name=name, offers=Resources(80_000, 80_000, 1000)) for name in "abc"]
    demands = [Demand(f"{number}", Resources(80, 96), "s1") for number in range(2 * AFFINITY_HOSTS + 1)]
    placement = place(machines, demands)
    assert sorted(Counter(placement.machines.values()).values()) == [1, AFFINITY_HOSTS, AFFINITY_HOSTS]


def test_another_session_begins_on_the_emptiest_machine() -> None:
    machines = [replace(MACHINE, name=name) for name in "ab"]
    demands = [Demand("1", Resources(80, 96), "s1"), Demand("2", Resources(80, 96), "s2")]
    assert place(machines, demands).machines == {"1": "a", "2": "b"}


def refusal(machines: list[MachineOffer], demand: Demand) -> str:
    return place(machines, [demand]).refused[demand.key]


def test_each_reason_names_what_is_missing() -> None:
    demand = Demand("1", Resources(128, 256), labels=frozenset({"ssd"}))
    plain = replace(demand, labels=frozenset[str]())
    assert refusal([], demand).startswith("No lab is connected.")
    assert refusal([replace(MACHINE, present=False)], plain).startswith("No lab is connected.")
    assert "all of these labels: ssd" in refusal([MACHINE], demand)
    assert "are drained: a" in refusal([replace(MACHINE, draining=True)], plain)
    assert "only machine is full (limited by memory)" in refusal([replace(MACHINE, offers=Resources(1, 999, 9))], plain)
    small = [replace(MACHINE, name="b", offers=Resources(999, 1, 9)), replace(MACHINE, offers=Resources(999, 999, 0))]
    assert "All 2 machines are full (limited by number of hosts and process count)" in refusal(small, plain)


@pytest.mark.parametrize("seed", [SEED, 1, 2])
def test_a_hundred_machines_hold_ten_thousand_groups(seed: int) -> None:
    """All groups of 400 sessions are placed and the machines are filled equally. If a machine goes, exactly its hosts
    move, and the machines are equal again."""
    simulated = simulate(seed)
    assert simulated.refused == 0
    for fills in (simulated.fills, simulated.fills_after):
        assert 0.5 < max(fills) <= 1
        assert max(fills) - min(fills) <= AFFINITY_SLACK + max(HOSTS_MB) / min(MACHINES_MB)
    assert simulated.held
    assert simulated.moved == simulated.held
    # 25 groups of a session would be on 22 machines without affinity.
    assert simulated.machines_per_session < 6
    assert simulated.place_s < 10
