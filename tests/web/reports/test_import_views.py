"""Imported and deleted reports."""

from __future__ import annotations

import csv
import io
import re
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from dashboard.core.modes import NEIGHBOUR, OTHER_CONTAINER, OTHER_HOST, OUTSIDE
from dashboard.core.paths.finder import measured_paths
from dashboard.core.paths.model import PathKind
from dashboard.core.paths.words import describe_path
from dashboard.core.reports.parse import MAX_BYTES
from dashboard.core.reports.validate import validate_file
from dashboard.models import Report
from dashboard.store.installation import installation_id
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.listing import find_reports
from dashboard.store.reports.reading import load_content
from tests.core.scenes import make_scene, with_neighbour, with_other_host
from tests.support.reports import make_content, make_file, make_run, with_scene
from tests.web.markup import forbidden_in
from tests.web.reports.pages import HERE, get, text_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_exported_file_can_be_imported(owner: Client) -> None:
    file = SimpleUploadedFile("r.json", make_file(), content_type="application/json")
    answer = owner.post("/reports/import/", {"file": file}, **HERE)
    assert answer.status_code == 302
    assert find_reports().total == 1


def test_a_measurement_on_a_lan_is_exported_with_its_clients_and_imported_again(owner: Client) -> None:
    columns, states = with_other_host(*with_neighbour(*make_scene(("host", "bridge"))))
    paths = [path for path in measured_paths(columns, states) if path.client in OUTSIDE]
    assert {(path.client, path.kind) for path in paths} >= {
        (NEIGHBOUR, PathKind.LAN_ADDRESS),
        (NEIGHBOUR, PathKind.LAN_PUBLISHED),
        (NEIGHBOUR, PathKind.LAN_CONTAINER),
        (OTHER_HOST, PathKind.PEER_PUBLISHED),
        (OTHER_CONTAINER, PathKind.REMOTE_PUBLISHED),
    }
    run = make_run(centers=tuple(30.0 + number for number in range(len(paths))), rounds=6, paths=tuple(paths))
    number = saved_reports.import_file(make_file(with_scene(columns, dict(states), measurements=(run,))))

    def export(ending: str) -> str:
        answer = owner.get(f"/reports/{number}/export.{ending}", **HERE)
        assert answer.status_code == 200, ending
        return str(answer.content.decode())

    rows = list(csv.DictReader(io.StringIO(export("csv"))))
    assert [(row["path"], row["client"], row["target"]) for row in rows] == [
        (path.name, path.client, path.target) for path in paths
    ]
    assert [float(row["p50_us"]) for row in rows] == [one.p50_us for one in run.measurement.series]
    words = {describe_path(path.name) for path in paths}
    for text in map(unescape, (export("md"), export("html"), text_of(get(owner, f"/reports/{number}/")))):
        assert [one for one in words if one not in text] == []
    exported = export("json")
    file = SimpleUploadedFile("lan.json", exported.encode(), content_type="application/json")
    assert owner.post("/reports/import/", {"file": file}, **HERE).status_code == 302
    assert validate_file(exported.encode())[0] == load_content(number)
    assert load_content(number).measurements == (run,)


def upload(owner: Client, name: str = "monday.json") -> str:
    """Imports a report; returns the page that follows."""
    file = SimpleUploadedFile(name, make_file(), content_type="application/json")
    answer = owner.post("/reports/import/", {"file": file}, follow=True, **HERE)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_an_imported_report_is_marked_with_its_file_and_its_installation(owner: Client) -> None:
    page = text_of(upload(owner))
    assert "Not from this installation: saved by installation inst234567 ·" in page
    assert "from monday.json" in page
    listed = text_of(get(owner, "/reports/"))
    assert re.search(r"imported on [^·]+ from monday\.json", listed)


def test_a_report_that_this_installation_saved_is_not_called_measured_elsewhere(owner: Client) -> None:
    own = make_file(make_content(installation=installation_id()))
    number = saved_reports.import_file(own, file_name="own.json")
    assert "Saved by this installation, exported, and imported again ·" in text_of(get(owner, f"/reports/{number}/"))


def test_a_second_import_of_the_same_report_offers_the_first_and_a_copy(owner: Client) -> None:
    upload(owner)
    page = upload(owner, "tuesday.json")
    first = Report.objects.get()
    assert "You already have this report, imported on" in text_of(page)
    assert f'class="button" href="/reports/{first.pk}/"' in page
    assert f'action="/reports/{first.pk}/copy/"' in page
    copied = owner.post(f"/reports/{first.pk}/copy/", {"file": "tuesday.json"}, follow=True, **HERE)
    assert "from tuesday.json" in text_of(copied.content.decode())
    assert Report.objects.count() == 2
    assert owner.post("/reports/nobody/copy/", **HERE).status_code == 404


def test_deleted_reports_have_a_page_to_restore_or_remove_them(owner: Client) -> None:
    assert "Deleted reports" not in text_of(get(owner, "/reports/"))
    assert "is kept here for 30 days" in text_of(get(owner, "/reports/deleted/"))
    first, second = (saved_reports.import_file(make_file(make_content(title=title))) for title in ("One", "Two"))
    assert owner.post(f"/reports/{first}/purge/", **HERE).status_code == 404
    for report in (first, second):
        owner.post(f"/reports/{report}/delete/", **HERE)
    assert re.search(r'href="/reports/deleted/">Deleted reports <span class="soft">&nbsp;2<', get(owner, "/reports/"))
    page = get(owner, "/reports/deleted/")
    assert forbidden_in(page) == []
    assert page.count("can be restored until") == 2
    owner.post(f"/reports/{first}/undelete/", **HERE)
    owner.post(f"/reports/{second}/purge/", **HERE)
    assert [row.pk for row in Report.objects.all()] == [first]
    get(owner, f"/reports/{first}/")


@pytest.mark.parametrize(
    "given",
    [None, b"", b"[]", b"{", make_file()[:-30], make_file().replace(b"Host or bridge", b"Host or fridge"),
     b" " * (MAX_BYTES + 1)],
    ids=["none", "empty", "a list", "cut", "cut short", "another hash", "too large"],
)  # fmt: skip
def test_an_invalid_file_is_refused_with_a_sentence_at_the_form(owner: Client, given: bytes | None) -> None:
    sent = {} if given is None else {"file": SimpleUploadedFile("r.json", given)}
    answer = owner.post("/reports/import/", sent, **HERE)
    assert answer.status_code == 400
    assert re.search(r'id="file-problem" role="alert">[^<]{15,}', answer.content.decode())
    assert not Report.objects.exists()
