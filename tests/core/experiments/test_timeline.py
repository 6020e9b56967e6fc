"""Journal entries as items of the timeline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.timeline import CountedEntries, timeline_item

CAUSE = Cause(Source.KERNEL, "address eth0", "nginx 4711")


def make_entry(cause: Cause = CAUSE, at: float = 1002.5) -> Entry:
    return Entry(7, at, cause, Facts(), "nginx opens :80 in host", ("host", "machine"))


def test_an_item_has_number_time_text_and_columns() -> None:
    item = timeline_item(make_entry(), 1000.0)
    assert (item.seq, item.at, item.offset_s) == (7, 1002.5, 2.5)
    assert (item.text, item.columns) == ("nginx opens :80 in host", ("host", "machine"))


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        (Cause(Source.PERSON), "person"),
        (Cause(Source.LAB, "launch"), "lab · launch"),
        (Cause(Source.ENGINE, "", "alice"), "engine · alice"),
        (CAUSE, "kernel · address eth0 · nginx 4711"),
    ],
)
def test_a_cause_has_the_parts_that_are_known(cause: Cause, text: str) -> None:
    assert timeline_item(make_entry(cause), 1000.0).cause == text


def test_a_clock_that_was_set_back_gives_no_negative_offset() -> None:
    assert timeline_item(make_entry(at=400.0), 1000.0).offset_s == 0.0


def test_offsets_are_in_whole_milliseconds() -> None:
    assert timeline_item(make_entry(at=1000.123456), 1000.0).offset_s == 0.123


def test_entries_with_a_text_are_counted_each_time_they_are_read() -> None:
    entries = (make_entry(), replace(make_entry(), text=""), make_entry())
    counted = CountedEntries(lambda: entries)
    for _ in range(2):
        assert tuple(counted()) == entries
        assert counted.items == 2
