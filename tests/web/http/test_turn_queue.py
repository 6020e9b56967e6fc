"""The queue of an address: every request ends, whatever its tasks do, and leaves no place taken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from dashboard.web.http.turn_queue import ADDRESS, COOKIE, Address, Group, Limits, Turn
from dashboard.web.http.turns import RequestGuard, release_turn


class LabError(Exception):
    """A call to a lab has failed."""


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock goes to the next timer when nothing is ready. Without a timer, a task waits for
    ever."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._select = self._selector.select  # type: ignore[attr-defined]
        self._selector.select = self._advance  # type: ignore[attr-defined]

    def time(self) -> float:
        return self._now

    def _advance(self, timeout_s: float | None) -> Any:
        assert timeout_s is not None, f"no timer is left: {asyncio.all_tasks(self)}"
        self._now += timeout_s
        return self._select(0)


def simulate(work: Awaitable[None]) -> None:
    """Runs until ``work`` ends. AssertionError if it waits for ever."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:

        async def run() -> None:
            await work

        runner.run(run())


async def passes(seconds: float) -> None:
    """Ends when the clock of the loop has advanced."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    timer = loop.call_later(seconds, done.set_result, None)
    try:
        await done
    finally:
        timer.cancel()


@dataclass(frozen=True)
class Step:
    """A step of a task of a request: computing, or a call to a lab."""

    is_call: bool
    #: None: the step ends without an iteration of the loop, as a call to an absent lab does.
    seconds: float | None
    fails: bool = False
    #: The step is cancelled after these seconds.
    limit_s: float | None = None

    async def run(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.limit_s):
                if not self.is_call:
                    await self._work()
                else:
                    async with release_turn():
                        await self._work()

    async def _work(self) -> None:
        if self.seconds is not None:
            await passes(self.seconds)
        if self.fails:
            raise LabError


@dataclass(frozen=True)
class Request:
    """A request: its tasks, which run at once, and when its client disconnects."""

    tasks: tuple[tuple[Step, ...], ...]
    cookie: str = ""
    arrives_s: float = 0.0
    gone_s: float | None = None
    #: Whether a failure of one task cancels the others. If not, they go on, and the request does not wait for them.
    ends_together: bool = False

    async def answer(self) -> None:
        async def run(steps: tuple[Step, ...]) -> None:
            for step in steps:
                await step.run()

        with suppress(LabError, ExceptionGroup):
            if self.ends_together:
                async with asyncio.TaskGroup() as group:
                    for steps in self.tasks:
                        group.create_task(run(steps))
            else:
                await asyncio.gather(*map(run, self.tasks))


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answers as Django: a client that disconnects cancels the request."""
    assert (await receive())["type"] == "http.request"
    work, gone = asyncio.create_task(scope["request"].answer()), asyncio.create_task(receive())
    await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
    for task in (work, gone):
        task.cancel()
    await asyncio.gather(work, gone, return_exceptions=True)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def requested(guard: RequestGuard, request: Request) -> None:
    """Ends with the response, or when nothing is left to do for a client that has gone."""
    await passes(request.arrives_s)
    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        if request.gone_s is None:
            return await asyncio.get_running_loop().create_future()
        await passes(request.gone_s)
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None:
        return

    cookie = f"{settings.SESSION_COOKIE_NAME}={request.cookie}".encode()
    scope = {"type": "http", "client": ("192.0.2.1", 1), "headers": [(b"cookie", cookie)], "request": request}
    await guard(scope, receive, send)


async def answered(requests: list[Request], of_address: Limits, of_cookie: Limits) -> None:
    """Sends the requests and checks that every request and task ends, and that no place is taken then."""
    guard = RequestGuard(application, of_address, of_cookie)
    address = guard._addresses["192.0.2.1"] = Address(of_address)
    address.unanswered = 1  # one more, so that the address is kept
    groups = dict.fromkeys(request.cookie for request in requests)
    for cookie in groups:
        group = address.by_cookie[cookie] = Group(of_cookie)
        group.unanswered = 1
    await asyncio.gather(*map(partial(requested, guard), requests))
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
    for group, limits in ((address, of_address), *((address.by_cookie[cookie], of_cookie) for cookie in groups)):
        assert (group.unanswered, group.begun, group.late, len(group.waiting)) == (1, 0, 0, 0)
        assert group.calls._value == limits.calls


SECONDS = st.sampled_from((None, 0.0, 0.1, 0.2, 0.3, 1.0))
LIMITS_S = st.sampled_from((None, None, 0.05, 0.2, 0.3))
STEPS = st.builds(Step, st.booleans(), SECONDS, st.sampled_from((False, False, False, True)), LIMITS_S)
REQUESTS = st.builds(
    Request,
    st.lists(st.lists(STEPS, max_size=4).map(tuple), min_size=1, max_size=4).map(tuple),
    st.sampled_from(("", "one")),
    st.sampled_from((0.0, 0.1, 0.3)),
    st.sampled_from((None, None, 0.0, 0.2, 0.5)),
    st.booleans(),
)


@given(st.lists(REQUESTS, min_size=1, max_size=5), st.integers(1, 2), st.integers(0, 1), st.integers(1, 2))
def test_every_request_ends_and_no_place_stays_taken(
    requests: list[Request], turns: int, late: int, calls: int
) -> None:
    limits = Limits(turns, late, calls, 100)
    simulate(answered(requests, limits, limits))


ABSENT, PRESENT = Step(is_call=True, seconds=None, fails=True), Step(is_call=True, seconds=0.1)


@pytest.mark.parametrize(
    "tasks",
    [((ABSENT,), (PRESENT,), (PRESENT,)), ((PRESENT,), (Step(is_call=False, seconds=0.2), PRESENT))],
    ids=["an absent lab first", "a call after a query of another task"],
)
def test_a_request_ends_if_one_task_calls_a_lab_while_another_one_waits(tasks: tuple[tuple[Step, ...], ...]) -> None:
    limits, other = Limits(turns=1, late=0, calls=4, unanswered=100), Step(is_call=False, seconds=1.0)
    simulate(answered([Request(tasks), Request(((other,),))], limits, limits))


def test_a_task_that_waits_goes_on_when_another_one_of_its_request_calls_a_lab() -> None:
    """The request holds no turn meanwhile, as while all of its tasks call labs."""

    async def run() -> None:
        address = Address(ADDRESS)
        turn = Turn(address, address.by_cookie.setdefault("", Group(COOKIE)))
        await turn.wait()
        async with turn.left():
            pass
        returned = turn.wait(first=True)
        async with turn.left():
            assert returned.done()
            assert address.begun == 0
        assert address.begun == 1
        turn.end()
        assert address.begun == 0

    simulate(run())
