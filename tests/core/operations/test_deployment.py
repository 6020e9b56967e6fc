"""Roles of processes, detection of an unavailable lab, the clock of heartbeats, and pauses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.experiments.messages import EngineRef
from dashboard.core.operations.deployment import (
    HEALTHY_S,
    HEARTBEAT_S,
    LAB_UNAVAILABLE,
    MAX_PAUSE_S,
    NO_LAB,
    UNAVAILABLE_S,
    LabFacts,
    Role,
    current_facts,
    is_unavailable,
    local_heartbeat,
    next_pause,
    parse_role,
    receive,
)
from dashboard.core.operations.heartbeat import (
    SILENT_S,
    Distribution,
    Heartbeat,
    LabMetrics,
    LabStatus,
    Part,
    missing_parts,
)

NOTHING = Distribution((1.0,), (0, 0), 0.0)
HEARTBEAT = Heartbeat(5.0, LabStatus("26.1.5", True, True, 1.0, 4.0), LabMetrics(0, 0, 0, 0, NOTHING, NOTHING))
FACTS = LabFacts(EngineRef("26.1.5", "1.45"), "", HEARTBEAT)


def test_each_role_serves_or_drives_or_both() -> None:
    assert [(role.serves, role.drives) for role in (Role.ALL, Role.WEB, Role.LAB)] == [
        (True, True),
        (True, False),
        (False, True),
    ]
    with pytest.raises(ValueError, match="choose all, web or lab"):
        parse_role("both")


def test_a_lab_is_unavailable_after_silence_whatever_its_clock_shows() -> None:
    assert current_facts(None, 0.0) == LabFacts(None, NO_LAB)
    last = receive(None, 7, 0.5, FACTS, 100.0)
    assert current_facts(last, 100.0 + UNAVAILABLE_S) == FACTS
    assert current_facts(last, 100.1 + UNAVAILABLE_S) == LabFacts(None, LAB_UNAVAILABLE)
    for number, age_s in ((8, -3600.0), (9, 3600.0)):  # clocks of two machines
        last = receive(last, number, age_s, FACTS, 100.0 + number * HEARTBEAT_S)
        assert not is_unavailable(last, 100.0 + number * HEARTBEAT_S)
    assert is_unavailable(receive(last, 9, 0.0, FACTS, 200.0), 200.0), "the same number is the same heartbeat"
    assert is_unavailable(receive(last, 0, 0.0, FACTS, 120.0), 120.0), "the number of the last heartbeat"


def test_the_first_read_of_a_heartbeat_counts_unless_the_row_is_old() -> None:
    assert not is_unavailable(receive(None, 7, HEALTHY_S, FACTS, 50.0), 50.0)
    assert is_unavailable(receive(None, 7, HEALTHY_S + 1, FACTS, 50.0), 50.0)


def test_the_time_of_a_heartbeat_is_by_the_clock_of_the_reader() -> None:
    last = receive(None, 7, 0.0, FACTS, 100.0)
    assert local_heartbeat(last, 103.0, 5003.0) == replace(HEARTBEAT, at=5000.0)
    long_ago = local_heartbeat(last, 100.0 + UNAVAILABLE_S + 0.5, 6000.0)
    assert long_ago is not None
    assert long_ago.at == 6000.0 - SILENT_S - 1.0
    assert [item.part for item in missing_parts(long_ago, 6000.0)] == [Part.LAB]
    assert local_heartbeat(None, 0.0, 0.0) is None


def test_pauses_grow_up_to_half_a_second() -> None:
    pauses = [0.05]
    while pauses[-1] < MAX_PAUSE_S:
        pauses.append(next_pause(pauses[-1]))
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_PAUSE_S
    assert sum(pauses) < 2.0
