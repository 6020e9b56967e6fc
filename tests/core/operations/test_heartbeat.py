"""Missing parts according to a heartbeat."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.experiments.messages import encode
from dashboard.core.operations.heartbeat import (
    PASS_OVERDUE_S,
    SILENT_S,
    Distribution,
    Heartbeat,
    LabMetrics,
    LabStatus,
    Part,
    missing_parts,
    part_names,
)

NOTHING = Distribution((1.0,), (0, 0), 0.0)
METRICS = LabMetrics(7, 4, 1, 0, NOTHING, NOTHING)
HEALTHY = LabStatus("26.1.5", private=False, engine_answers=True, engine_since=10.0, passed_at=990.0)
NOW = 1000.0


def heartbeat(at: float = NOW, **changed: object) -> Heartbeat:
    return Heartbeat(at, replace(HEALTHY, **changed), METRICS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (heartbeat(), []),
        (heartbeat(NOW - SILENT_S), []),
        (heartbeat(NOW - SILENT_S - 0.1), [(Part.LAB, NOW - SILENT_S - 0.1)]),
        (heartbeat(engine_answers=False, engine_since=900.0), [(Part.ENGINE, 900.0)]),
        (heartbeat(passed_at=NOW - PASS_OVERDUE_S - 1), [(Part.LAB, NOW - PASS_OVERDUE_S - 1)]),
        (heartbeat(ended="lab-passes", engine_answers=False), [(Part.LAB, 0.0), (Part.ENGINE, 10.0)]),
        (None, [(Part.ENGINE, 0.0)]),
    ],
)
def test_missing_parts_have_a_time_and_no_details(given: Heartbeat | None, missing: list[tuple[Part, float]]) -> None:
    found = missing_parts(given, NOW)
    assert [(item.part, item.since) for item in found] == missing
    assert part_names(found) == tuple(dict.fromkeys(part for part, _ in missing))
    assert not any("secret" in item.reason for item in found), "the reason is public"


def test_a_web_process_without_a_heartbeat_misses_the_lab() -> None:
    assert [item.part for item in missing_parts(None, NOW, without=Part.LAB)] == [Part.LAB]


def test_a_heartbeat_is_encoded_and_counts_waiting_entries() -> None:
    assert b'"engine_answers":true' in encode(heartbeat())
    assert METRICS.entries_waiting == 2
