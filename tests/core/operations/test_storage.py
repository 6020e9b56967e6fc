"""Limits of storage: the disk and the journals."""

import pytest

from dashboard.core.operations.storage import (
    GIB,
    DiskUsage,
    Journals,
    describe_journals,
    format_size,
    launch_refusal,
    over_budget,
)

MIB = 1024**2


@pytest.mark.parametrize(
    ("used", "free", "refused"),
    [
        (89 * MIB, 11 * MIB, False),
        (90 * MIB, 10 * MIB, True),
        (100 * MIB, 0, True),
        (1900 * GIB, 100 * GIB, False),
        (1995 * GIB, 5 * GIB, True),
        (0, 0, False),
    ],
)
def test_a_full_disk_refuses_new_experiments_unless_much_is_free(used: int, free: int, refused: bool) -> None:
    assert bool(launch_refusal(DiskUsage(used, free))) is refused


def test_the_refusal_states_why_and_what_to_do() -> None:
    told = launch_refusal(DiskUsage(95 * MIB, 5 * MIB))
    assert told.startswith("95% of the disk of the data folder is used; 5 MB is free.")
    assert "prune" in told


def test_the_oldest_ended_experiments_make_room() -> None:
    ended = [("a", 10), ("b", 0), ("c", 30), ("d", 30)]
    assert over_budget(ended, 100, 100) == ()
    assert over_budget(ended, 101, 100) == ("a",)
    assert over_budget(ended, 130, 100) == ("a", "c")
    assert over_budget(ended, 500, 100) == ("a", "c", "d")


def test_sizes_are_stated() -> None:
    assert format_size(120_400_000) == "120 MB"
    assert describe_journals(Journals(2, 1500, 3_400_000_000), 2 * GIB).startswith(
        "1,500 entries of 2 experiments, 3.4 GB; "
    )
