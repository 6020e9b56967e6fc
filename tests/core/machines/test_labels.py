"""Labels of machines, and those that a session asks for."""

from __future__ import annotations

import pytest

from dashboard.core.machines.labels import MAX_LABELS, MAX_WANTED, parse_labels, parse_wanted


def test_labels_are_keys_with_values() -> None:
    assert parse_labels(["rack=1", "disk=ssd/nvme"]) == {"rack": "1", "disk": "ssd/nvme"}


@pytest.mark.parametrize("text", ["", "rack", "rack=", "=1", "a b=1", "a=b=c", "a=" + "x" * 41, "a=<b>"])
def test_an_invalid_label_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a label"):
        parse_labels([text])


def test_the_number_of_labels_is_limited() -> None:
    with pytest.raises(ValueError, match="at most 20 labels"):
        parse_labels([f"k{number}=1" for number in range(MAX_LABELS + 1)])


def test_wanted_labels_are_sorted_words_without_repetitions() -> None:
    assert parse_wanted("rack=7  disk=ssd rack=7") == "disk=ssd rack=7"
    assert parse_wanted(" ") == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rack", "is not a label"),
        ("rack=1 rack=2", "one value for each label"),
        (" ".join(f"k{number}=1" for number in range(MAX_WANTED + 1)), "at most 5 labels"),
    ],
)
def test_wanted_labels_that_no_machine_can_have_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_wanted(text)
