"""Blocks for client processes, also for those on other machines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.measurement import MAX_PAYLOAD_BYTES, Options, Probe
from dashboard.core.measurements.remote.blocks import (
    RemoteAnswer,
    RemoteBlock,
    block_problem,
    client_command,
    make_block,
    read_block,
)
from dashboard.core.measurements.schedule import MAX_REQUESTS, BlockPlan, Series
from dashboard.core.paths.model import Path, PathKind

PATH = Path(PathKind.FROM_MACHINE_ADDRESS, "", "@lab2", "host", address="192.0.2.2", port=80, host_name="web")
BLOCK = make_block(Series("s", PATH, Probe.TCP_RR), BlockPlan(0.25, 0.02, 1000), Options(), 8080)


def test_a_block_has_the_fields_of_the_client_process_s_command() -> None:
    command = client_command(BLOCK)
    assert (command["address"], command["port"], command["payload"], command["host"]) == ("192.0.2.2", 8080, 64, "web")
    assert not {"conditions", "from_arm"} & command.keys()
    assert BLOCK.conditions is Conditions.QUIET
    assert block_problem(BLOCK) == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"probe": Probe.DNS},
        {"port": 0},
        {"port": 70_000},
        {"payload": 0},
        {"payload": MAX_PAYLOAD_BYTES + 1},
        {"seconds": 0.0, "warmup_s": 0.0, "timeout_s": 0.0},
        {"seconds": 600.0},
        {"seconds": 20.0, "timeout_s": 10.0},  # the timeout counts three times
        {"seconds": float("nan")},
        {"most": MAX_REQUESTS + 1},
        {"http_path": "/\r\nX: y"},
        {"host": "a" * 300},
    ],
)
def test_a_lab_refuses_an_invalid_block(wrong: dict[str, Any]) -> None:
    assert block_problem(replace(BLOCK, **wrong))


def test_an_answer_without_figures_is_a_failed_block_of_the_time_that_it_took() -> None:
    failed = read_block({"error": "It has ended."}, "s", 3, 1.5, 0.25)
    assert (failed.series, failed.round, failed.started_s, failed.duration_s) == ("s", 3, 1.5, 0.25)
    assert (failed.n, failed.error, failed.counts) == (0, "It has ended.", False)
    read = read_block({"n": 5, "p50_us": 1.5, "duration_s": 0.1, "histogram": "aGk=", "unknown": 1}, "s", 3, 1.5, 0.25)
    assert (read.n, read.p50_us, read.duration_s, read.histogram) == (5, 1.5, 0.1, b"hi")


def test_blocks_and_answers_are_sent_as_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(BLOCK), type=RemoteBlock) == BLOCK
    answer = RemoteAnswer({"n": 5, "p50_us": 1.5, "histogram": "aGk="})
    assert msgspec.json.decode(msgspec.json.encode(answer), type=RemoteAnswer) == answer
