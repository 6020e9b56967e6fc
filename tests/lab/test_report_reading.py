"""What is derived from a report is made once, and again when another version made it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dashboard.core.measurement import Block
from dashboard.core.report import Origin
from dashboard.core.report_view import build_view
from dashboard.lab import report_reading, reports
from dashboard.models import Report
from tests.reports import make_content, make_file, make_run

pytestmark = pytest.mark.django_db


def test_the_view_and_the_track_are_made_when_a_report_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    report = reports.import_file(make_file())
    monkeypatch.setattr(report_reading, "build_view", None)
    monkeypatch.setattr(report_reading, "build_track", None)
    found = reports.derived(report)
    assert found.view == build_view(make_content())
    assert json.loads(found.track)


def test_what_another_version_derived_is_made_anew_and_kept() -> None:
    report = reports.import_file(make_file())
    wanted = reports.derived(report)
    Report.objects.update(view=b"old", track=b"old", derived=report_reading.DERIVED_VERSION - 1)
    assert reports.derived(report) == wanted
    row = Report.objects.get()
    assert row.derived == report_reading.DERIVED_VERSION
    assert bytes(row.view) != b"old"


def test_without_a_journal_there_is_no_track() -> None:
    alone = make_content(experiment=None, origin=Origin.MEASUREMENT)
    assert reports.derived(reports.import_file(make_file(alone))).track == b""


def test_what_cannot_be_shown_is_refused_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(content: object) -> None:
        raise ValueError("no such address")

    monkeypatch.setattr(report_reading, "build_view", fails)
    with pytest.raises(reports.NotAReportError, match="no such address"):
        reports.import_file(make_file())
    assert Report.objects.count() == 0


def test_blocks_without_histograms_are_read_too() -> None:
    run = make_run()
    bare: tuple[Block, ...] = tuple(replace(block, histogram=b"") for block in run.blocks)
    report = reports.import_file(make_file(make_content(runs=[replace(run, blocks=bare)])))
    assert reports.load_content(report).measurements[0].blocks == bare
    assert reports.derived(report).view.runs
