"""Concurrent work runs to its end even if a part of it fails."""

from __future__ import annotations

import asyncio

import pytest

from dashboard.lab.experiments.concurrency import Passes, gather_all
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
