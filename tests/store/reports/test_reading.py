"""What is derived from a report is made once, and again when another version made it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dashboard.core.measurements.measurement import Block
from dashboard.core.reports.model import Origin
from dashboard.core.reports.view import build_view
from dashboard.models import Report
from dashboard.store.reports import reading as report_reading
from dashboard.store.reports import saved as saved_reports
from tests.reports import make_content, make_file, make_run

pytestmark = pytest.mark.django_db


def test_the_view_and_the_track_are_made_when_a_report_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    report = saved_reports.import_file(make_file())
    monkeypatch.setattr(report_reading, "build_view", None)
    monkeypatch.setattr(report_reading, "build_track", None)
    found = saved_reports.derived(report)
    assert found.view == build_view(make_content())
    assert json.loads(found.track)


def test_what_another_version_derived_is_made_anew_and_kept() -> None:
    report = saved_reports.import_file(make_file())
    wanted = saved_reports.derived(report)
    Report.objects.update(view=b"old", track=b"old", derived=report_reading.DERIVED_VERSION - 1)
    assert saved_reports.derived(report) == wanted
    row = Report.objects.get()
    assert row.derived == report_reading.DERIVED_VERSION
    assert bytes(row.view) != b"old"


def test_without_a_journal_there_is_no_track() -> None:
    alone = make_content(experiment=None, origin=Origin.MEASUREMENT)
    assert saved_reports.derived(saved_reports.import_file(make_file(alone))).track == b""


def test_what_cannot_be_shown_is_refused_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(content: object) -> None:
        raise ValueError("no such address")

    monkeypatch.setattr(report_reading, "build_view", fails)
    with pytest.raises(saved_reports.NotAReportError, match="no such address"):
        saved_reports.import_file(make_file())
    assert Report.objects.count() == 0


def test_blocks_without_histograms_are_read_too() -> None:
    run = make_run()
    bare: tuple[Block, ...] = tuple(replace(block, histogram=b"") for block in run.blocks)
    report = saved_reports.import_file(make_file(make_content(runs=[replace(run, blocks=bare)])))
    assert saved_reports.load_content(report).measurements[0].blocks == bare
    assert saved_reports.derived(report).view.runs
