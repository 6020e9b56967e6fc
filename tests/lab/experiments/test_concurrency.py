"""Concurrent work runs to its end even if a part of it fails."""

from __future__ import annotations

import pytest

from dashboard.lab.experiments.concurrency import gather_all
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
