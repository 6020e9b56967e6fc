"""The shared timer."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from dashboard.netns.watch.poll_timer import PollTimer, next_turn
from tests.support.polling import eventually


class Member:
    def __init__(self, period_s: float = 0.01, busy_s: float = 0.0) -> None:
        self.due = 0.0
        self.turns: list[float] = []
        self._period_s = period_s
        self._busy_s = busy_s

    def poll(self, now: float) -> None:
        self.turns.append(now)
        loop = asyncio.get_running_loop()
        while loop.time() < now + self._busy_s:
            pass
        self.due = next_turn(now, self._period_s)


async def test_all_members_are_polled_in_one_wake_up_until_they_are_removed() -> None:
    timer = PollTimer.of_loop()
    assert PollTimer.of_loop() is timer
    members = [Member(), Member()]
    for member in members:
        timer.add(member)
    await eventually(lambda: min(len(member.turns) for member in members) >= 3)
    timer.remove(members[0])
    turns, other = len(members[0].turns), len(members[1].turns)
    await eventually(lambda: len(members[1].turns) > other + 1)
    assert len(members[0].turns) == turns
    timer.remove(members[1])
    timer.remove(members[1])
    assert timer._timer is None


async def test_many_members_yield_to_other_callbacks() -> None:
    timer = PollTimer.of_loop()
    members = [Member(busy_s=0.002) for _ in range(10)]
    turns_between: list[int] = []

    def look() -> None:
        turns_between.append(sum(len(member.turns) for member in members))
        if turns_between[-1] < 10:
            asyncio.get_running_loop().call_soon(look)

    for member in members:
        timer.add(member)
    look()
    await eventually(lambda: turns_between[-1] >= 10)
    assert max(after - before for before, after in itertools.pairwise(turns_between)) <= 2
    for member in members:
        timer.remove(member)


async def test_a_member_may_be_removed_during_its_poll() -> None:
    timer = PollTimer.of_loop()

    class Leaver(Member):
        def poll(self, now: float) -> None:
            super().poll(now)
            timer.remove(self)
            timer.remove(other)

    leaver, other = Leaver(), Member()
    timer.add(leaver)
    timer.add(other)
    await eventually(lambda: leaver.turns)
    assert timer._timer is None
    assert other.turns == []


@pytest.mark.parametrize(("now", "expected"), [(0.0, 0.5), (0.49, 0.5), (0.5, 1.0), (7.2, 7.5)])
def test_equal_periods_share_wake_ups(now: float, expected: float) -> None:
    assert next_turn(now, 0.5) == expected
