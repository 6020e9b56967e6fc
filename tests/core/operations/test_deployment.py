"""dashboard.core.operations.deployment: roles, when a lab is away, and for whose clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.experiments.messages import EngineRef
from dashboard.core.operations.deployment import (
    AWAY,
    AWAY_S,
    BEAT_S,
    HEALTHY_S,
    LONGEST_PAUSE_S,
    NEVER,
    LabFacts,
    Role,
    facts_now,
    hear,
    heart_of,
    is_away,
    longer,
    role_of,
)
from dashboard.core.operations.heartbeat import SILENT_S, Distribution, Heartbeat, LabFigures, Part, Vitals, missing_of

NOTHING = Distribution((1.0,), (0, 0), 0.0)
HEART = Heartbeat(5.0, Vitals("26.1.5", True, True, 1.0, 4.0), LabFigures(0, 0, 0, 0, NOTHING, NOTHING))
FACTS = LabFacts(EngineRef("26.1.5", "1.45"), "", HEART)


def test_roles_say_what_a_process_does() -> None:
    assert [(role.serves, role.drives) for role in (Role.ALL, Role.WEB, Role.LAB)] == [
        (True, True),
        (True, False),
        (False, True),
    ]
    with pytest.raises(ValueError, match="choose all, web or lab"):
        role_of("both")


def test_a_lab_is_away_after_a_silence_and_not_because_of_its_clock() -> None:
    assert facts_now(None, 0.0) == LabFacts(None, NEVER)
    heard = hear(None, 7, 0.5, FACTS, 100.0)
    assert facts_now(heard, 100.0 + AWAY_S) == FACTS
    assert facts_now(heard, 100.1 + AWAY_S) == LabFacts(None, AWAY)
    for number, age_s in ((8, -3600.0), (9, 3600.0)):  # clocks of two machines
        heard = hear(heard, number, age_s, FACTS, 100.0 + number * BEAT_S)
        assert not is_away(heard, 100.0 + number * BEAT_S)
    assert is_away(hear(heard, 9, 0.0, FACTS, 200.0), 200.0), "the same number is no news"
    assert is_away(hear(heard, 0, 0.0, FACTS, 120.0), 120.0), "its last word"


def test_who_has_just_come_believes_the_row_unless_it_is_old() -> None:
    assert not is_away(hear(None, 7, HEALTHY_S, FACTS, 50.0), 50.0)
    assert is_away(hear(None, 7, HEALTHY_S + 1, FACTS, 50.0), 50.0)


def test_the_heart_is_told_by_the_clock_of_who_listens() -> None:
    heard = hear(None, 7, 0.0, FACTS, 100.0)
    assert heart_of(heard, 103.0, 5003.0) == replace(HEART, at=5000.0)
    long_ago = heart_of(heard, 100.0 + AWAY_S + 0.5, 6000.0)
    assert long_ago is not None
    assert long_ago.at == 6000.0 - SILENT_S - 1.0
    assert [one.part for one in missing_of(long_ago, 6000.0)] == [Part.LAB]
    assert heart_of(None, 0.0, 0.0) is None


def test_pauses_grow_and_end_at_half_a_second() -> None:
    pauses = [0.05]
    while pauses[-1] < LONGEST_PAUSE_S:
        pauses.append(longer(pauses[-1]))
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_S
    assert sum(pauses) < 2.0
