"""dashboard.store.reports.reading: views and recordings are computed once, and again for another version."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dashboard.core.measurements.measurement import Block
from dashboard.core.reports.model import Origin
from dashboard.core.reports.parse import InvalidReportError
from dashboard.core.reports.view import build_view
from dashboard.models import Report
from dashboard.store.reports import reading as report_reading
from dashboard.store.reports import saved as saved_reports
from tests.support.reports import make_content, make_file, make_run

pytestmark = pytest.mark.django_db


def test_the_view_and_the_recording_are_computed_when_a_report_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    report = saved_reports.import_file(make_file())
    monkeypatch.setattr(report_reading, "build_view", None)
    monkeypatch.setattr(report_reading, "build_recording", None)
    found = report_reading.load_derived(report)
    assert found.view == build_view(make_content())
    assert json.loads(found.recording)


def test_a_view_derived_by_another_version_is_computed_again_and_stored() -> None:
    report = saved_reports.import_file(make_file())
    wanted = report_reading.load_derived(report)
    Report.objects.update(view=b"old", track=b"old", derived=report_reading.DERIVED_VERSION - 1)
    assert report_reading.load_derived(report) == wanted
    row = Report.objects.get()
    assert row.derived == report_reading.DERIVED_VERSION
    assert bytes(row.view) != b"old"


def test_a_report_without_a_journal_has_no_recording() -> None:
    alone = make_content(experiment=None, origin=Origin.MEASUREMENT)
    assert report_reading.load_derived(saved_reports.import_file(make_file(alone))).recording == b""


def test_a_report_that_cannot_be_shown_is_refused_and_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(content: object) -> None:
        raise ValueError("no such address")

    monkeypatch.setattr(report_reading, "build_view", fails)
    with pytest.raises(InvalidReportError, match="no such address"):
        saved_reports.import_file(make_file())
    assert Report.objects.count() == 0


def test_blocks_may_have_no_histogram() -> None:
    run = make_run()
    bare: tuple[Block, ...] = tuple(replace(block, histogram=b"") for block in run.blocks)
    report = saved_reports.import_file(make_file(make_content(runs=[replace(run, blocks=bare)])))
    assert report_reading.load_content(report).measurements[0].blocks == bare
    assert report_reading.load_derived(report).view.runs
