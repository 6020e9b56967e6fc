"""How many hosts fit, and the queue for them."""

from __future__ import annotations

import pytest

from dashboard.core.machines.placement import Resources
from dashboard.core.training.capacity import (
    MAX_HOSTS,
    Capacity,
    HostLimits,
    Machine,
    capacity,
    combine,
    describe_queue,
    offered,
    ordinal,
    parallel_starts,
    queue,
    refuse_hosts,
    refuse_more,
    share,
)
from dashboard.core.training.form import read_form

SMALL = Machine(24_000, 32_768, 2)


@pytest.mark.parametrize(
    ("machine", "limits", "running", "more", "scarce"),
    [
        (SMALL, HostLimits(512, 512, 1.0), 0, 112, "process count"),
        (SMALL, HostLimits(512, 128, 1.0), 0, 179, "memory"),
        (Machine(24_000, 65_536, 2), HostLimits(192, 64, 1.0), 20, 180, "the maximum of Netmodes"),
        (SMALL, HostLimits(4096, 64, 1.0), 0, 22, "memory"),
        (Machine(900, 32_768, 2), HostLimits(), 3, 0, "memory"),
        (Machine(10**6, 10**7, 64), HostLimits(), 0, MAX_HOSTS, "the maximum of Netmodes"),
    ],
)
def test_the_scarcest_resource_limits_the_number_of_hosts(
    machine: Machine, limits: HostLimits, running: int, more: int, scarce: str
) -> None:
    found = capacity(machine, limits, running)
    assert (found.more, found.limited_by) == (more, scarce)
    assert found.total == running + more
    assert str(found.total) in found.sentence


def test_a_hundred_hosts_fit_on_the_machine_of_the_benchmarks() -> None:
    assert capacity(SMALL, HostLimits(), 0).more >= 100


def test_a_machine_that_can_run_no_host_has_a_reason() -> None:
    assert capacity(SMALL, HostLimits(), 0, "No root.").sentence == "No root."


@pytest.mark.parametrize(
    ("field", "value"),
    [("memory_mb", 191), ("memory_mb", 8193), ("pids", 63), ("pids", 4097), ("cpu_percent", 24), ("cpu_percent", 1601)],
)
def test_limits_in_which_no_host_runs_are_refused(field: str, value: int) -> None:
    _, problems = read_form({"title": "Monday", field: str(value)}, ("w",))
    assert list(problems) == [field]


def test_the_engine_keeps_its_own_share() -> None:
    limits = HostLimits(512, 256, 1.0)
    assert (limits.workload_mb, limits.total_pids) == (416, 768)


@pytest.mark.parametrize(
    ("place", "running", "full", "words"),
    [
        (3, 10, False, "You are third in the queue; your host starts in a few seconds."),
        (1, 40, True, "You are first in the queue; all 40 hosts are in use. Yours starts when one is stopped."),
        (2, 1, True, "the only host that this machine can run is in use"),
        (12, 0, True, "You are 12th in the queue; this machine has no capacity"),
    ],
)
def test_the_position_in_the_queue_is_described(place: int, running: int, full: bool, words: str) -> None:
    assert words in describe_queue(place, running, full=full)


@pytest.mark.parametrize(
    ("number", "word"), [(1, "first"), (10, "tenth"), (11, "11th"), (21, "21st"), (22, "22nd"), (113, "113th")]
)
def test_ordinals_are_words_up_to_ten(number: int, word: str) -> None:
    assert ordinal(number) == word


def test_four_hosts_per_core_start_at_once() -> None:
    assert (parallel_starts(0), parallel_starts(1), parallel_starts(2)) == (2, 2, 4)


def test_more_objects_than_the_maximum_are_refused() -> None:
    assert refuse_more("containers", 10, 2, 12) is None
    assert "at most 12 containers, and 11 exist" in (refuse_more("containers", 11, 2, 12) or "")


@pytest.mark.parametrize(
    ("machine", "limits", "running", "more"),
    [
        (Machine(1024 + 10 * 128, 10**6, 2), HostLimits(512, 512), 0, 10),
        (Machine(1024 + 10 * 128 - 1, 10**6, 2), HostLimits(512, 512), 0, 9),
        (Machine(1024 + 10 * 128 - 80, 10**6, 2), HostLimits(512, 512), 1, 9),
        (Machine(1024 + 10 * 80, 10**6, 2), HostLimits(192, 512), 0, 10),
        (Machine(10**6, 4096 + 10 * 256, 2), HostLimits(512, 512), 0, 10),
        (Machine(10**6, 4096 + 10 * 256, 2), HostLimits(512, 512), 4, 6),
        (Machine(10**6, 4096 + 10 * 144, 2), HostLimits(512, 64), 0, 10),
        (Machine(10**6, 10**6, 2), HostLimits(512, 512), 199, 1),
        (Machine(10**6, 10**6, 2), HostLimits(512, 512), 201, 0),
    ],
)
def test_each_host_counts_with_a_quarter_of_its_limits(
    machine: Machine, limits: HostLimits, running: int, more: int
) -> None:
    assert capacity(machine, limits, running).more == more


def test_more_hosts_than_fit_are_refused_with_the_reason() -> None:
    assert refuse_hosts(Capacity(1, 2, "memory"), 2) == ""
    assert refuse_hosts(Capacity(1, 2, "memory"), 3).startswith(
        "This machine has capacity for 2 more private hosts (limited by memory), and 1 are running."
    )
    assert "running" not in refuse_hosts(Capacity(0, 0, "process count"), 1)
    assert refuse_hosts(Capacity(0, 0, problem="No root."), 1) == "No root."


def test_limits_include_their_bounds() -> None:
    for memory_mb, pids, percent in ((192, 64, 25), (8192, 4096, 1600)):
        typed = {"title": "Monday", "memory_mb": memory_mb, "pids": pids, "cpu_percent": percent}
        settings, problems = read_form({name: str(value) for name, value in typed.items()}, ("w",))
        assert not problems
        assert (settings.memory_mb, settings.pids, settings.cpus) == (memory_mb, pids, percent / 100)


def test_the_capacity_names_the_hosts_that_run() -> None:
    assert Capacity(5, 10).total == 15
    assert "5 running" in Capacity(5, 10, "memory").sentence
    assert "running now" not in Capacity(0, 10, "memory").sentence
    refused = capacity(SMALL, HostLimits(), 3, "No root.")
    assert (refused.running, refused.more, refused.limited_by) == (3, 0, "")


@pytest.mark.parametrize(
    ("number", "word"),
    [(0, "0th"), (2, "second"), (12, "12th"), (13, "13th"), (14, "14th"), (23, "23rd"), (101, "101st"), (111, "111th")],
)
def test_ordinals_have_the_right_ending(number: int, word: str) -> None:
    assert ordinal(number) == word


def test_groups_wait_in_the_order_of_arrival() -> None:
    assert queue([(3.0, "c"), (1.0, "b"), (1.0, "a")]) == ("a", "b", "c")
    assert refuse_more("containers", 12, 0, 12) is None
    assert refuse_more("containers", 12, 1, 12)


def test_a_machine_offers_what_its_number_of_default_hosts_needs() -> None:
    assert share(HostLimits()) == Resources(128, 256)
    assert share(HostLimits(192, 64, 1.0)).memory_mb == 80
    offers = offered(7)
    assert offers.memory_mb // share(HostLimits()).memory_mb == 7
    assert offers.pids // share(HostLimits()).pids == 7
    assert offers.hosts == MAX_HOSTS


def test_the_capacity_of_several_machines_is_their_sum() -> None:
    first = Capacity(2, 3, "memory", isolated=True, others=2)
    second = Capacity(1, 5, "memory", isolated=False, others=1)
    away = Capacity(0, 0, problem="No lab.")
    both = combine([first, away, second])
    assert both == Capacity(3, 8, "memory", isolated=False, machines=2, others=3)
    assert both.sentence == (
        "2 machines together can run about 11 hosts with these limits (limited by memory). 3 running now."
    )
    assert (both.total, both.for_groups) == (11, 8), "hosts of LANs take room from those of groups"
    assert combine([first]) == first
    assert combine([away]).problem == "No lab."
    assert "all are drained" in combine([]).problem
