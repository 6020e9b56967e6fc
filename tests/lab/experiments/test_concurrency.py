"""Concurrent work runs to its end even if a part of it fails."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from dashboard.lab.experiments.concurrency import Passes, gather_all, result_of, run_staggered
from tests.support.polling import others_run


async def test_the_first_error_is_raised_after_all_work_has_ended() -> None:
    done: list[str] = []

    async def fail(name: str) -> None:
        raise ValueError(name)

    async def finish() -> None:
        await others_run()
        done.append("finished")

    with pytest.raises(ValueError, match="one"):
        await gather_all(fail("one"), finish(), fail("two"))
    assert done == ["finished"]


async def test_a_shared_task_continues_without_a_caller_and_its_error_is_dropped() -> None:
    logged: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: logged.append(context))
    refused = asyncio.Event()

    async def refuse() -> None:
        await refused.wait()
        raise ValueError("refused")

    task = asyncio.create_task(refuse())
    cancelled, waiting = (asyncio.create_task(result_of(task)) for _ in range(2))
    await others_run()
    cancelled.cancel()
    await asyncio.wait([cancelled])
    assert cancelled.cancelled()
    assert not task.done()
    refused.set()
    with pytest.raises(ValueError, match="refused"):
        await waiting
    with pytest.raises(ValueError, match="refused"):
        await result_of(task)
    del task, cancelled, waiting
    gc.collect()
    await others_run()
    assert not logged


async def test_work_overlaps_only_where_it_is_slow() -> None:
    running: set[str] = set()
    together: list[set[str]] = []
    last_began = asyncio.Event()

    async def work(name: str, *, slow: bool) -> str:
        running.add(name)
        together.append(set(running))
        if slow:
            await last_began.wait()
        running.discard(name)
        return name

    async def last() -> str:
        last_began.set()
        return await work("d", slow=False)

    parts = [lambda: work("a", slow=False), lambda: work("b", slow=True), lambda: work("c", slow=False), last]
    assert await run_staggered(parts, 0.01) == ["a", "b", "c", "d"]
    assert together == [{"a"}, {"b"}, {"b", "c"}, {"b", "d"}]


async def test_staggered_work_ends_with_its_caller() -> None:
    ended = asyncio.Event()

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.ensure_future(run_staggered([never, never], 3600.0))
    await others_run()
    task.cancel()
    await asyncio.wait([task])
    await asyncio.wait_for(ended.wait(), 20)


async def test_a_pass_that_begins_while_an_experiment_is_closed_waits() -> None:
    passes = Passes()
    done: list[str] = []

    async def wait(experiment: str) -> None:
        await passes.until_closed(experiment)
        done.append(experiment)

    with passes.counted("a"):
        assert passes.under_way("a") == 1
        with passes.counted("a"):
            assert passes.under_way("a") == 2
            assert passes.under_way("b") == 0
        with passes.closing("a"):
            waiting = [asyncio.ensure_future(wait(name)) for name in ("a", "b")]
            await others_run()
            await others_run()
            assert done == ["b"]
        await asyncio.gather(*waiting)
    assert done == ["b", "a"]
    assert passes.under_way("a") == 0
