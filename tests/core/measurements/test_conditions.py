"""The names and descriptions of conditions."""

from __future__ import annotations

import pytest

from dashboard.core.measurements.conditions import Conditions, describe_conditions, parse_conditions, with_conditions


@pytest.mark.parametrize("conditions", Conditions)
def test_names_of_conditions_are_parsed(conditions: Conditions) -> None:
    assert parse_conditions(str(conditions)) is conditions


@pytest.mark.parametrize("text", ["", "Quiet", "loud", "<b>", "x" * 500])
def test_names_of_no_conditions_are_refused_with_the_choices(text: str) -> None:
    with pytest.raises(ValueError, match=r"^Unknown conditions “.{0,40}”: choose quiet or ordinary\.$"):
        parse_conditions(text)


@pytest.mark.parametrize(
    ("conditions", "cores_awake", "expected"),
    [
        (Conditions.QUIET, True, "quiet (real-time priority, cores kept awake)"),
        (Conditions.QUIET, None, "quiet (real-time priority, cores kept awake)"),
        (
            Conditions.QUIET,
            False,
            "quiet (real-time priority, cores may sleep, as /dev/cpu_dma_latency cannot be opened)",
        ),
        (Conditions.ORDINARY, False, "ordinary (normal priority, idle cores may sleep)"),
        (Conditions.ORDINARY, None, "ordinary (normal priority, idle cores may sleep)"),
        (Conditions.ORDINARY, True, "ordinary (normal priority, cores kept awake by another program)"),
    ],
)
def test_conditions_are_described_with_what_the_cores_really_did(
    conditions: Conditions, cores_awake: bool | None, expected: str
) -> None:
    assert describe_conditions(conditions, cores_awake) == expected


def test_a_sentence_names_only_ordinary_conditions() -> None:
    assert with_conditions("It is slower.", Conditions.QUIET) == "It is slower."
    assert with_conditions("It is slower.", Conditions.ORDINARY) == "It is slower. Measured in ordinary conditions."
