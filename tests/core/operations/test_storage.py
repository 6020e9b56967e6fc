"""Limits of storage: the disk and the journals."""

import pytest

from dashboard.core.operations.storage import (
    GIB,
    DiskUsage,
    EndedJournal,
    Journals,
    describe_journals,
    fair_share,
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
    assert told.startswith("95% of the disk of the data folder is used; 5.2 MB is free.")
    assert "prune" in told


def test_the_oldest_ended_experiments_make_room() -> None:
    ended = [EndedJournal(name, "me", size) for name, size in (("a", 10), ("b", 0), ("c", 30), ("d", 30))]
    assert over_budget(ended, {"me": 100}, 100) == ()
    assert over_budget(ended, {"me": 101}, 100) == ("a",)
    assert over_budget(ended, {"me": 130}, 100) == ("a", "c")
    assert over_budget(ended, {"me": 500}, 100) == ("a", "c", "d")
    assert over_budget(ended, {}, 100) == ()


def test_the_flood_of_one_owner_deletes_nothing_of_others() -> None:
    ended = [EndedJournal("mine", "me", 20), EndedJournal("flood", "other", 50), EndedJournal("more", "other", 500)]
    assert over_budget(ended, {"me": 30, "other": 600}, 100) == ("flood", "more")
    assert over_budget(ended[:2], {"me": 30, "other": 600}, 100) == ("flood",), "a running flood costs others nothing"
    assert over_budget(ended, {"me": 30, "other": 110}, 100) == ("flood",)


def test_owners_below_the_fair_share_keep_everything() -> None:
    assert fair_share([10, 20, 900], 100) == 70
    assert fair_share([10, 90, 900], 100) == 45
    assert fair_share([10, 20], 100) == 100
    assert fair_share([], 100) == 100


def test_sizes_of_disks_and_journals_are_stated() -> None:
    assert [format_size(size) for size in (0, 999, 812_345, 4_100_000)] == ["1 kB", "1 kB", "812 kB", "4.1 MB"]
    assert [format_size(size) for size in (1500, 999_499, 1_000_000)] == ["2 kB", "999 kB", "1.0 MB"]
    assert [format_size(size) for size in (999_949_999, 1_000_000_000)] == ["999.9 MB", "1.0 GB"]
    assert describe_journals(Journals(2, 1500, 3_400_000_000), 2 * GIB).startswith(
        "1,500 entries of 2 experiments, 3.4 GB; "
    )
    assert describe_journals(Journals(1, 1, 20_000), 2 * GIB).startswith("1 entry of 1 experiment, 20 kB; ")
    assert describe_journals(Journals(1, 1, 20_000), 0) == "1 entry of 1 experiment, 20 kB; no limit"
