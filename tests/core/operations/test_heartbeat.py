"""What is missing, by what a lab has said of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.experiments.messages import encode
from dashboard.core.operations.heartbeat import (
    PASS_OVERDUE_S,
    SILENT_S,
    Distribution,
    Heartbeat,
    LabFigures,
    Part,
    Vitals,
    missing_of,
    parts_missing,
)

NOTHING = Distribution((1.0,), (0, 0), 0.0)
FIGURES = LabFigures(7, 4, 1, 0, NOTHING, NOTHING)
WELL = Vitals("26.1.5", private=False, engine_answers=True, engine_since=10.0, passed_at=990.0)
NOW = 1000.0


def beat(at: float = NOW, **changed: object) -> Heartbeat:
    return Heartbeat(at, replace(WELL, **changed), FIGURES)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        (beat(), []),
        (beat(NOW - SILENT_S), []),
        (beat(NOW - SILENT_S - 0.1), [(Part.LAB, NOW - SILENT_S - 0.1)]),
        (beat(engine_answers=False, engine_since=900.0, engine_problem="secret path"), [(Part.ENGINE, 900.0)]),
        (beat(passed_at=NOW - PASS_OVERDUE_S - 1), [(Part.LAB, NOW - PASS_OVERDUE_S - 1)]),
        (beat(ended="lab-passes", engine_answers=False), [(Part.LAB, 0.0), (Part.ENGINE, 10.0)]),
        (None, [(Part.ENGINE, 0.0)]),
    ],
)
def test_what_is_missing_and_since_when(found: Heartbeat | None, missing: list[tuple[Part, float]]) -> None:
    said = missing_of(found, NOW)
    assert [(one.part, one.since) for one in said] == missing
    assert parts_missing(said) == tuple(dict.fromkeys(part for part, _ in missing))
    assert not any("secret" in one.reason for one in said), "it is told to everybody"


def test_a_process_without_a_lab_of_its_own_lacks_the_lab() -> None:
    assert [one.part for one in missing_of(None, NOW, without=Part.LAB)] == [Part.LAB]


def test_it_can_be_sent_and_says_how_much_waits() -> None:
    assert b'"engine_answers":true' in encode(beat())
    assert FIGURES.entries_waiting == 2
