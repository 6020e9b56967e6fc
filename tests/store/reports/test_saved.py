"""Reports are kept as they were saved: found, put away, brought back, never changed."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from dashboard.core.reports import parse as report_parse
from dashboard.core.reports.model import Origin, frame
from dashboard.core.reports.validate import NotAReportError, check_file
from dashboard.models import Report, ReportTag
from dashboard.models.reports import FROZEN, FrozenError
from dashboard.store import experiments as experiment_store
from dashboard.store.reports import saved as saved_reports
from tests.reports import make_content, make_file
from tests.store.reports.test_snapshot import launched, measured

pytestmark = pytest.mark.django_db


def test_a_saved_experiment_can_be_exported_and_imported() -> None:
    experiment = launched()
    run = measured(experiment)
    report = saved_reports.save_experiment(experiment, title=" First  look ", notes="**Why**", tags=["Lab", "lab"])
    content = saved_reports.load_content(report)
    assert (content.title, content.notes, content.tags) == ("First look", "**Why**", ("lab",))
    assert content.origin is Origin.EXPERIMENT
    assert [one.id for one in content.measurements] == [run]
    assert content.installation == experiment_store.installation_id()
    assert check_file(frame(saved_reports.content_bytes(report)))[0] == content


def test_a_measurement_is_saved_with_its_experiment_or_without_one_that_is_gone() -> None:
    experiment = launched()
    run = measured(experiment)
    both = saved_reports.load_content(saved_reports.save_measurement(run))
    assert both.experiment is not None
    assert (len(both.experiment.journal), both.origin) == (
        len(experiment_store.entries(experiment)),
        Origin.MEASUREMENT,
    )
    experiment_store.delete(experiment)
    alone = saved_reports.load_content(saved_reports.save_measurement(run, title="alone"))
    assert alone.experiment is None
    assert alone.measurements == both.measurements
    assert alone.environment == both.environment


def test_what_is_exported_comes_back_as_the_same_bytes_on_another_database() -> None:
    file = make_file()
    first = saved_reports.import_file(file)
    exported = frame(saved_reports.content_bytes(first))
    assert exported == file
    Report.objects.all().delete()
    assert frame(saved_reports.content_bytes(saved_reports.import_file(exported))) == file


def test_fields_of_a_later_version_survive_the_way_through() -> None:
    _, body = check_file(make_file())
    later = frame(
        body.replace(b'"title":"Host or bridge","version"', b'"title":"Host or bridge","topic":"x","version"')
    )
    assert b'"topic":"x"' in later
    report = saved_reports.import_file(later)
    assert frame(saved_reports.content_bytes(report)) == later


def test_an_import_is_marked_unless_it_comes_from_here() -> None:
    assert saved_reports.describe(saved_reports.import_file(make_file())).imported_from == "inst234567"
    own = make_file(make_content(installation=experiment_store.installation_id()))
    assert saved_reports.describe(saved_reports.import_file(own)).imported_from == ""


def test_the_same_content_twice_is_two_reports() -> None:
    first, second = (saved_reports.import_file(make_file()) for _ in range(2))
    assert first != second
    assert saved_reports.describe(first).digest == saved_reports.describe(second).digest
    assert saved_reports.find().total == 2


def test_a_refused_file_leaves_the_database_as_it_was() -> None:
    with pytest.raises(NotAReportError):
        saved_reports.import_file(make_file().replace(b"Ada", b"Eve"))
    assert (Report.objects.count(), ReportTag.objects.count()) == (0, 0)


@pytest.mark.parametrize("field", sorted(FROZEN))
def test_nothing_of_what_was_saved_can_be_written_again(field: str) -> None:
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
def test_every_word_is_searched_in_title_author_notes_tags_modes_and_image(query: str, *, found: bool) -> None:
    report = saved_reports.import_file(make_file(SEARCHED))
    assert [one.id for one in saved_reports.find(query).reports] == ([report] if found else [])


def test_lists_are_filtered_by_tag_origin_owner_and_whether_archived() -> None:
    owner = User.objects.create(username="ada")
    mine = saved_reports.import_file(make_file(SEARCHED), owner.pk)
    other = saved_reports.import_file(make_file())

    def ids(**more: object) -> set[str]:
        return {one.id for one in saved_reports.find(**more).reports}  # type: ignore[arg-type]

    assert ids() == {mine, other}
    assert ids(tags=["lab"]) == {mine, other}
    assert ids(tags=["lab", "night"]) == {mine}
    assert ids(owner=owner.pk) == {mine}
    assert ids(origin="measurement") == set()
    assert ids(origin="experiment", signature=saved_reports.describe(mine).signature) == {mine, other}
    assert saved_reports.tags_in_use() == (("lab", 2), ("night", 1), ("november", 1))
    saved_reports.archive(mine)
    assert (ids(), ids(archived=True)) == ({other}, {mine})
    assert saved_reports.describe(mine).archived
    saved_reports.unarchive(mine)
    assert ids() == {mine, other}


def test_pages_hold_fifty_and_one_beyond_the_last_is_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.store.reports.listing.PAGE", 2)
    made = [saved_reports.import_file(make_file(make_content(saved_at=float(number), runs=()))) for number in range(5)]
    shown = [saved_reports.find(page=page) for page in (1, 2, 3, 99, -1)]
    assert [one.page for one in shown] == [1, 2, 3, 3, 1]
    assert [one.id for page in shown[:3] for one in page.reports] == made[::-1]
    assert {(one.total, one.pages) for one in shown} == {(5, 3)}


def test_a_deleted_report_is_gone_until_it_is_brought_back_or_purged() -> None:
    report = saved_reports.import_file(make_file())
    saved_reports.delete(report)
    assert saved_reports.find().total == 0
    for gone in (saved_reports.content_bytes, saved_reports.describe, saved_reports.archive, saved_reports.delete):
        with pytest.raises(saved_reports.NoReportError):
            gone(report)
    assert saved_reports.describe(report, deleted=True).deleted
    assert saved_reports.purge_deleted(time.time()) == 0
    saved_reports.undelete(report)
    assert saved_reports.find().total == 1
    with pytest.raises(saved_reports.NoReportError):
        saved_reports.undelete(report)
    saved_reports.delete(report)
    Report.objects.update(deleted_at=timezone.now() - timedelta(days=30, seconds=1))
    kept = saved_reports.import_file(make_file())
    assert saved_reports.purge_deleted(time.time()) == 1
    assert [one.id for one in saved_reports.find().reports] == [kept]
    with pytest.raises(saved_reports.NoReportError):
        saved_reports.undelete(report)


def test_remarks_stand_beside_a_report_and_change_nothing_in_it() -> None:
    owner = User.objects.create(username="ada")
    report = saved_reports.import_file(make_file())
    before = saved_reports.content_bytes(report)
    saved_reports.annotate(report, " First.\r\n ", owner_id=owner.pk)
    saved_reports.annotate(report, "Second.", author="Bob")
    assert [(one.author, one.text) for one in saved_reports.remarks(report)] == [("ada", "First."), ("Bob", "Second.")]
    assert saved_reports.content_bytes(report) == before
    for text in ("  ", "x" * 20_001):
        with pytest.raises(saved_reports.NotSavedError):
            saved_reports.annotate(report, text)
    with pytest.raises(saved_reports.NoReportError):
        saved_reports.annotate("nothing", "text")


@pytest.mark.parametrize(("field", "value"), [("notes", "x" * 100_001), ("tags", ["a\x01b"])])
def test_what_could_not_be_imported_is_not_saved_either(field: str, value: object) -> None:
    with pytest.raises(saved_reports.NotSavedError):
        saved_reports.save_experiment(launched(), **{field: value})  # type: ignore[arg-type]
    assert Report.objects.count() == 0


def test_the_author_is_who_saves() -> None:
    owner = User.objects.create(username="ada", first_name="Ada", last_name="L.")
    content = saved_reports.load_content(saved_reports.save_experiment(launched(), owner_id=owner.pk))
    assert content.author == "Ada L."
    assert (
        saved_reports.load_content(saved_reports.save_experiment(launched(), owner_id=owner.pk, author="X")).author
        == "X"
    )


def test_a_line_of_the_list_says_what_was_compared() -> None:
    row = saved_reports.describe(saved_reports.import_file(make_file()))
    assert row.line == saved_reports.derived(row.id).view.summary.compared
    assert row.line.startswith("nginx (port 80) side by side in the network modes host")


def test_what_would_be_too_large_to_import_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_parse, "MOST_BYTES", 10_000)
    with pytest.raises(saved_reports.NotSavedError, match="smaller report"):
        saved_reports.save_experiment(launched())
    assert Report.objects.count() == 0
