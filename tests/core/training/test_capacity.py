"""How many hosts fit, whose turn it is, and what people are told."""

from __future__ import annotations

import pytest

from dashboard.core.training.capacity import (
    MOST_HOSTS,
    Capacity,
    HostLimits,
    Machine,
    capacity,
    limits_of,
    ordinal,
    queue,
    queue_sentence,
    starters,
    too_many,
)

SMALL = Machine(24_000, 32_768, 2)


@pytest.mark.parametrize(
    ("machine", "limits", "running", "more", "scarce"),
    [
        (SMALL, HostLimits(512, 512, 1.0), 0, 112, "the number of processes"),
        (SMALL, HostLimits(512, 128, 1.0), 0, 179, "memory"),
        (Machine(24_000, 65_536, 2), HostLimits(192, 64, 1.0), 20, 180, "what Netmodes allows"),
        (SMALL, HostLimits(4096, 64, 1.0), 0, 22, "memory"),
        (Machine(900, 32_768, 2), HostLimits(), 3, 0, "memory"),
        (Machine(10**6, 10**7, 64), HostLimits(), 0, MOST_HOSTS, "what Netmodes allows"),
    ],
)
def test_what_fits_is_what_the_scarcest_allows(
    machine: Machine, limits: HostLimits, running: int, more: int, scarce: str
) -> None:
    found = capacity(machine, limits, running)
    assert (found.more, found.limited_by) == (more, scarce)
    assert found.total == running + more
    assert str(found.total) in found.sentence


def test_a_hundred_fit_on_the_machine_of_the_benchmarks() -> None:
    assert capacity(SMALL, HostLimits(), 0).enough_for(100) == ""


def test_who_plans_too_large_a_class_is_told() -> None:
    assert "Only 10 of 30" in Capacity(5, 10, "memory").enough_for(30)
    assert capacity(SMALL, HostLimits(), 0, "No root.").enough_for(1) == "No root."
    assert capacity(SMALL, HostLimits(), 0, "No root.").sentence == "No root."


@pytest.mark.parametrize(
    "asked", [(100, 512, 1.0), (512, 10, 1.0), (512, 512, 0.0), (512, 512, 99.0), (10**6, 64, 1.0)]
)
def test_limits_in_which_no_host_lives_are_refused(asked: tuple[int, int, float]) -> None:
    with pytest.raises(ValueError, match="must be from"):
        limits_of(*asked)


def test_the_engine_keeps_its_own_part() -> None:
    limits = limits_of(512, 256, 1.0)
    assert limits.people_mb < limits.memory_mb
    assert limits.whole_pids > limits.pids


@pytest.mark.parametrize(
    ("place", "running", "full", "words"),
    [
        (3, 10, False, "You are third in the queue; your host starts in a few seconds."),
        (1, 40, True, "You are first in the queue; all 40 hosts are in use. Yours starts when one is stopped."),
        (2, 1, True, "the one host that this machine holds is in use"),
        (12, 0, True, "You are 12th in the queue; this machine has no room"),
    ],
)
def test_what_somebody_is_told_who_waits(place: int, running: int, full: bool, words: str) -> None:
    assert words in queue_sentence(place, running, full=full)


@pytest.mark.parametrize(
    ("number", "word"), [(1, "first"), (10, "tenth"), (11, "11th"), (21, "21st"), (22, "22nd"), (113, "113th")]
)
def test_places_are_said_as_people_say_them(number: int, word: str) -> None:
    assert ordinal(number) == word


def test_as_many_start_at_once_as_keep_the_cores_busy() -> None:
    assert (starters(0), starters(1), starters(2)) == (4, 4, 8)


def test_a_group_may_have_so_many_and_no_more() -> None:
    assert too_many("containers", 10, 2, 12) == ""
    assert "at most 12 containers, and 11 are there" in too_many("containers", 11, 2, 12)


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


def test_limits_include_their_own_ends() -> None:
    assert limits_of(192, 64, 0.25) == HostLimits(192, 64, 0.25)
    assert limits_of(8192, 4096, 16.0) == HostLimits(8192, 4096, 16.0)
    limits = HostLimits(512, 256)
    assert (limits.people_mb, limits.whole_pids) == (416, 768)


def test_a_session_that_just_fits_gets_no_warning() -> None:
    assert Capacity(5, 10, "memory").enough_for(10) == ""
    assert "Only 10 of 11" in Capacity(5, 10, "memory").enough_for(11)
    assert Capacity(5, 10).total == 15
    assert "5 run" in Capacity(5, 10, "memory").sentence
    assert "run now" not in Capacity(0, 10, "memory").sentence
    refused = capacity(SMALL, HostLimits(), 3, "No root.")
    assert (refused.running, refused.more, refused.limited_by) == (3, 0, "")


@pytest.mark.parametrize(
    ("number", "word"),
    [(0, "0th"), (2, "second"), (12, "12th"), (13, "13th"), (14, "14th"), (23, "23rd"), (101, "101st"), (111, "111th")],
)
def test_ordinals_end_as_they_are_spoken(number: int, word: str) -> None:
    assert ordinal(number) == word


def test_groups_wait_in_the_order_in_which_they_came() -> None:
    assert queue([(3.0, "c"), (1.0, "b"), (1.0, "a")]) == ("a", "b", "c")
    assert too_many("containers", 12, 0, 12) == ""
    assert too_many("containers", 12, 1, 12)
