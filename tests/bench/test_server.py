"""An experiment as the benchmarks' client knows it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.server import Frames, RefusedError


class Connection:
    """A websocket that delivers frames, then none."""

    def __init__(self, *frames: dict[str, Any]) -> None:
        self._frames = list(frames)

    async def recv(self) -> bytes:
        """The next frame."""
        if not self._frames:
            await asyncio.Event().wait()
        return msgspec.json.encode(self._frames.pop(0))


def frame(phase: str, *statuses: str) -> dict[str, Any]:
    """A snapshot of an experiment with an arm for each status."""
    columns = [{"key": f"a{n}", "title": f"arm {n}", "status": one, "error": "no"} for n, one in enumerate(statuses)]
    cells = {column["key"]: "4026531840" if column["status"] == "running" else None for column in columns}
    row = {"section": "identity", "key": "netns", "field": "", "cells": cells}
    return {"type": "snapshot", "experiment": {"phase": phase, "notice": "why"}, "columns": columns, "rows": [row]}


def frames(*sent: dict[str, Any]) -> Frames:
    """The client of a server that sends these frames."""
    return Frames("abc", Connection(*sent))  # type: ignore[arg-type]


async def test_an_experiment_runs_when_every_arm_has_its_state() -> None:
    await frames(frame("launching", "refused", "waiting"), frame("running", "running", "running")).until_running()


async def test_an_experiment_that_runs_without_a_refused_arm_is_an_error() -> None:
    with pytest.raises(RefusedError, match="the Engine refuses arm 1: no"):
        await frames(frame("launching", "running", "waiting"), frame("running", "running", "refused")).until_running()


async def test_an_experiment_that_ended_is_an_error() -> None:
    with pytest.raises(BenchmarkError, match="the experiment failed: why"):
        await frames(frame("failed", "refused")).until_running()
