"""dashboard.store.reports.saved: reports are saved, imported, archived, deleted and never changed."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from dashboard.core.reports import parse as report_parse
from dashboard.core.reports import validate as report_validate
from dashboard.core.reports.model import Origin, frame
from dashboard.core.reports.parse import InvalidReportError
from dashboard.core.reports.validate import validate_file
from dashboard.models import MeasurementBlock, Report, ReportTag
from dashboard.models.reports import FROZEN, FrozenError
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store.installation import installation_id
from dashboard.store.reports import listing as report_listing
from dashboard.store.reports import reading as report_reading
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.listing import ReportNotFoundError
from dashboard.store.reports.saved import ReportDetails
from dashboard.store.reports.snapshot import NotSavedError
from tests.store.reports.test_snapshot import launched, measured
from tests.support.reports import make_content, make_file

pytestmark = pytest.mark.django_db


def test_a_saved_experiment_can_be_exported_and_imported() -> None:
    experiment = launched()
    run = measured(experiment)
    report = saved_reports.save_experiment(
        experiment, ReportDetails(" First  look ", notes="**Why**", tags=("Lab", "lab"))
    )
    content = report_reading.load_content(report)
    assert (content.title, content.notes, content.tags) == ("First look", "**Why**", ("lab",))
    assert content.origin is Origin.EXPERIMENT
    assert [one.id for one in content.measurements] == [run]
    assert content.installation == installation_id()
    assert validate_file(frame(report_reading.content_bytes(report)))[0] == content


def test_a_measurement_is_saved_with_its_experiment_unless_that_was_removed() -> None:
    experiment = launched()
    run = measured(experiment)
    both = report_reading.load_content(saved_reports.save_measurement(run))
    assert both.experiment is not None
    assert (len(both.experiment.journal), both.origin) == (
        len(journal_store.entries(experiment)),
        Origin.MEASUREMENT,
    )
    experiment_store.delete(experiment)
    alone = report_reading.load_content(saved_reports.save_measurement(run, ReportDetails("alone")))
    assert alone.experiment is None
    assert alone.measurements == both.measurements
    assert alone.environment == both.environment


def test_an_export_is_imported_and_exported_as_the_same_bytes_on_another_database() -> None:
    file = make_file()
    first = saved_reports.import_file(file)
    exported = frame(report_reading.content_bytes(first))
    assert exported == file
    Report.objects.all().delete()
    assert frame(report_reading.content_bytes(saved_reports.import_file(exported))) == file


def test_fields_of_a_later_version_survive_import_and_export() -> None:
    _, body = validate_file(make_file())
    later = frame(
        body.replace(b'"title":"Host or bridge","version"', b'"title":"Host or bridge","topic":"x","version"')
    )
    assert b'"topic":"x"' in later
    report = saved_reports.import_file(later)
    assert frame(report_reading.content_bytes(report)) == later


def test_an_import_is_marked_unless_this_installation_saved_it() -> None:
    assert report_listing.get_report(saved_reports.import_file(make_file())).imported_from == "inst234567"
    own = make_file(make_content(installation=installation_id()))
    assert report_listing.get_report(saved_reports.import_file(own)).imported_from == ""


def test_the_same_content_twice_is_two_reports() -> None:
    first, second = (saved_reports.import_file(make_file()) for _ in range(2))
    assert first != second
    assert report_listing.get_report(first).digest == report_listing.get_report(second).digest
    assert report_listing.find_reports().total == 2


def test_a_content_that_a_report_has_already_is_not_imported_again() -> None:
    first = saved_reports.import_once(make_file(), file_name="C:\\reports\\monday.json")
    again = saved_reports.import_once(make_file(), file_name="other.json")
    assert (first.existing, again.existing) == (False, True)
    assert again.report == first.report
    assert first.report.imported_file == "monday.json"
    assert first.report.imported_at is not None
    assert Report.objects.count() == 1
    saved_reports.delete(first.report.id)
    assert not saved_reports.import_once(make_file()).existing
    copy = saved_reports.import_once(make_file(), copy=True)
    assert not copy.existing
    assert copy.report.id != saved_reports.import_once(make_file()).report.id


def test_a_copy_has_the_content_and_the_mark_of_the_first() -> None:
    first = saved_reports.import_file(make_file())
    copy = saved_reports.import_copy(first, file_name="../a\0b\n.json")
    assert copy != first
    assert report_reading.content_bytes(copy) == report_reading.content_bytes(first)
    row = report_listing.get_report(copy)
    assert (row.imported_from, row.imported_file) == ("inst234567", "a b .json")
    with pytest.raises(ReportNotFoundError):
        saved_reports.import_copy("nobody")


def test_nothing_is_stored_if_the_check_fails_at_the_last_moment() -> None:
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if Report.objects.exists():
            raise InterruptedError

    with pytest.raises(InterruptedError):
        saved_reports.import_once(make_file(), check=check)
    assert calls > 1
    assert (Report.objects.count(), ReportTag.objects.count()) == (0, 0)


def test_only_a_deleted_report_is_removed_permanently() -> None:
    kept = saved_reports.import_file(make_file())
    with pytest.raises(ReportNotFoundError):
        saved_reports.purge(kept)
    saved_reports.annotate(kept, "Seen.")
    saved_reports.delete(kept)
    saved_reports.purge(kept)
    assert not Report.objects.exists()
    with pytest.raises(ReportNotFoundError):
        saved_reports.undelete(kept)


def test_a_refused_file_does_not_change_the_database() -> None:
    with pytest.raises(InvalidReportError):
        saved_reports.import_file(make_file().replace(b"Ada", b"Eve"))
    assert (Report.objects.count(), ReportTag.objects.count()) == (0, 0)


@pytest.mark.parametrize("field", sorted(FROZEN))
def test_frozen_fields_cannot_be_written_again(field: str) -> None:
    row = Report.objects.get(pk=saved_reports.import_file(make_file()))
    value = getattr(row, field)
    with pytest.raises(FrozenError):
        Report.objects.update(**{field: value})
    with pytest.raises(FrozenError):
        row.save(update_fields=[field])
    with pytest.raises((FrozenError, ValueError)):
        Report.objects.bulk_update([row], [field])
    with pytest.raises(FrozenError):
        row.save()


SEARCHED = make_content(title="Bridge at Zürich", notes="After the *switch* was replaced. 100%", tags=("lab", "night"))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", True),
        ("bridge", True),
        ("ZÜRICH bridge", True),
        ("switch", True),
        ("ada", True),
        ("night", True),
        ("user-bridge", True),
        ("nginx", True),
        ("100%", True),
        ("1%0", False),
        ("_ridge", False),
        ("bridge paris", False),
        ("\0", True),
    ],
)
def test_words_are_searched_in_title_author_notes_tags_modes_and_images(query: str, *, found: bool) -> None:
    report = saved_reports.import_file(make_file(SEARCHED))
    assert [one.id for one in report_listing.find_reports(query).reports] == ([report] if found else [])


def test_lists_are_filtered_by_tag_origin_owner_and_whether_archived() -> None:
    owner = User.objects.create(username="ada")
    mine = saved_reports.import_file(make_file(SEARCHED), owner.pk)
    other = saved_reports.import_file(make_file())

    def ids(**more: object) -> set[str]:
        return {one.id for one in report_listing.find_reports(**more).reports}  # type: ignore[arg-type]

    assert ids() == {mine, other}
    assert ids(tags=["lab"]) == {mine, other}
    assert ids(tags=["lab", "night"]) == {mine}
    assert ids(owner=owner.pk) == {mine}
    assert ids(origin="measurement") == set()
    assert ids(origin="experiment", signature=report_listing.get_report(mine).signature) == {mine, other}
    assert report_listing.tags_in_use() == (("lab", 2), ("night", 1), ("november", 1))
    saved_reports.archive(mine)
    assert (ids(), ids(archived=True)) == ({other}, {mine})
    assert report_listing.get_report(mine).archived
    saved_reports.unarchive(mine)
    assert ids() == {mine, other}


def test_a_page_beyond_the_last_is_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.store.reports.listing.PAGE", 2)
    made = [saved_reports.import_file(make_file(make_content(saved_at=float(number), runs=()))) for number in range(5)]
    shown = [report_listing.find_reports(page=page) for page in (1, 2, 3, 99, -1)]
    assert [one.page for one in shown] == [1, 2, 3, 3, 1]
    assert [one.id for page in shown[:3] for one in page.reports] == made[::-1]
    assert {(one.total, one.pages) for one in shown} == {(5, 3)}


def test_a_deleted_report_is_hidden_until_it_is_restored_or_purged() -> None:
    report = saved_reports.import_file(make_file())
    saved_reports.delete(report)
    assert report_listing.find_reports().total == 0
    for gone in (report_reading.content_bytes, report_listing.get_report, saved_reports.archive, saved_reports.delete):
        with pytest.raises(ReportNotFoundError):
            gone(report)
    assert report_listing.get_report(report, deleted=True).deleted
    assert saved_reports.purge_deleted(time.time()) == 0
    saved_reports.undelete(report)
    assert report_listing.find_reports().total == 1
    with pytest.raises(ReportNotFoundError):
        saved_reports.undelete(report)
    saved_reports.delete(report)
    Report.objects.update(deleted_at=timezone.now() - timedelta(days=30, seconds=1))
    kept = saved_reports.import_file(make_file())
    assert saved_reports.purge_deleted(time.time()) == 1
    assert [one.id for one in report_listing.find_reports().reports] == [kept]
    with pytest.raises(ReportNotFoundError):
        saved_reports.undelete(report)


def test_remarks_do_not_change_the_content_of_a_report() -> None:
    owner = User.objects.create(username="ada")
    report = saved_reports.import_file(make_file())
    before = report_reading.content_bytes(report)
    saved_reports.annotate(report, " First.\r\n ", owner_id=owner.pk)
    saved_reports.annotate(report, "Second.", author="Bob")
    assert [(one.author, one.text) for one in saved_reports.remarks(report)] == [("ada", "First."), ("Bob", "Second.")]
    assert report_reading.content_bytes(report) == before
    for text in ("  ", "x" * 20_001):
        with pytest.raises(NotSavedError):
            saved_reports.annotate(report, text)
    with pytest.raises(ReportNotFoundError):
        saved_reports.annotate("nothing", "text")


@pytest.mark.parametrize(("field", "value"), [("notes", "x" * 100_001), ("tags", ("a\x01b",))])
def test_a_report_that_could_not_be_imported_is_not_saved(field: str, value: object) -> None:
    with pytest.raises(NotSavedError):
        saved_reports.save_experiment(launched(), ReportDetails(**{field: value}))  # type: ignore[arg-type]
    assert Report.objects.count() == 0


def test_the_author_defaults_to_the_name_of_the_owner() -> None:
    owner = User.objects.create(username="ada", first_name="Ada", last_name="L.")
    for author, expected in (("", "Ada L."), ("X", "X")):
        details = ReportDetails(author=author, owner_id=owner.pk)
        assert report_reading.load_content(saved_reports.save_experiment(launched(), details)).author == expected


def test_the_line_in_a_list_describes_what_was_compared() -> None:
    row = report_listing.get_report(saved_reports.import_file(make_file()))
    assert row.line == report_reading.load_derived(row.id).view.summary.compared
    assert row.line.startswith("nginx (port 80) side by side in the network modes host")


def test_a_report_that_would_be_too_large_to_import_is_not_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_parse, "MAX_BYTES", 10_000)
    with pytest.raises(NotSavedError, match="smaller report"):
        saved_reports.save_experiment(launched())
    assert Report.objects.count() == 0


def test_measurements_that_are_too_large_for_one_report_are_saved_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = launched()
    runs = [measured(experiment), measured(experiment)]
    monkeypatch.setattr(report_validate, "MAX_BLOCKS", MeasurementBlock.objects.count() // 2)
    with pytest.raises(NotSavedError, match="one by one, each on its own page"):
        saved_reports.save_experiment(experiment)
    for run in runs:
        assert saved_reports.save_measurement(run)
