"""The pages of reports: list, read, save, import, share. No entered text is lost, and a link permits only reading."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.reports.anonymisation.identifiers import collect_texts
from dashboard.core.reports.csv_tables import histogram_lines
from dashboard.core.reports.model import canonical, decode_content, experiment_signature, frame
from dashboard.core.reports.parse import MAX_BYTES
from dashboard.export import example
from dashboard.export.html import BEFORE, BEHIND, hash_command
from dashboard.models import Annotation, Report, Share
from dashboard.store import experiments as experiment_store
from dashboard.store.installation import installation_id
from dashboard.store.reports import reading as report_reading
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports import shares as report_shares
from dashboard.store.reports.listing import find_reports, get_report
from tests.support.reports import make_content, make_file
from tests.support.specs import make_spec
from tests.web.asgi_client import http, person
from tests.web.markup import forbidden_in

pytestmark = pytest.mark.django_db(transaction=True)
#: RFC 5737, and what every machine has.
DOCUMENTED = [
    ip_network(one) for one in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "127.0.0.0/8", "0.0.0.0/32")
]
HERE: dict[str, Any] = {"HTTP_HOST": "127.0.0.1", "HTTP_ORIGIN": "http://127.0.0.1"}


@pytest.fixture
def report() -> str:
    return saved_reports.import_file(make_file())


def test_an_experiment_of_a_report_runs_again_under_the_same_signature(owner: Client, report: str) -> None:
    assert f'action="/reports/{report}/repeat/"' in get(owner, f"/reports/{report}/")
    answer = owner.post(f"/reports/{report}/repeat/", **HERE)
    frozen = report_reading.load_content(report).experiment
    assert frozen is not None
    made = experiment_store.load(answer["Location"].split("/")[2])
    assert made is not None
    assert experiment_signature(made.spec) == experiment_signature(frozen.spec)


def test_an_invalid_experiment_of_a_report_is_not_launched(owner: Client) -> None:
    content = make_content()
    assert content.experiment is not None
    spec = replace(content.experiment.spec, port=0)
    odd = saved_reports.import_file(
        frame(canonical(replace(content, experiment=replace(content.experiment, spec=spec))))
    )
    answer = owner.post(f"/reports/{odd}/repeat/", **HERE)
    assert answer.status_code == 400
    assert "port must be from 1 to 65535" in text_of(answer.text)


def text_of(page: str) -> str:
    """The visible text of a page, in one line."""
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def get(owner: Client, path: str, status: int = 200) -> str:
    answer = owner.get(path, **HERE)
    assert answer.status_code == status, path
    return str(answer.content.decode())


def test_an_empty_list_explains_how_to_save_a_report(owner: Client) -> None:
    assert "No reports yet" in text_of(get(owner, "/reports/"))


#: Queries with the titles that they list.
QUERIES: list[tuple[str, set[str]]] = [
    ("", {"Monday", "Tuesday"}),
    ("?q=monday", {"Monday"}),
    ("?q=MONDAY+nginx", {"Monday"}),
    ("?tag=office", {"Tuesday"}),
    ("?tag=lab", {"Monday", "Tuesday"}),
    ("?origin=claims", set()),
    ("?origin=nonsense", {"Monday", "Tuesday"}),
    ("?owner=me", set()),
    ("?archived=1", {"Wednesday"}),
    ("?page=99", {"Monday", "Tuesday"}),
    ("?page=-1&q=%00", {"Monday", "Tuesday"}),
]


def test_the_list_is_searched_and_filtered(owner: Client) -> None:
    tags = {"Monday": ("lab",), "Tuesday": ("lab", "office"), "Wednesday": ()}
    kept = {
        title: saved_reports.import_file(make_file(make_content(2, title=title, tags=own)))
        for title, own in tags.items()
    }
    saved_reports.archive(kept["Wednesday"])
    for query, shown in QUERIES:
        page = get(owner, f"/reports/{query}")
        assert set(re.findall(r'class="title" href="[^"]*">(\w+)<', page)) == shown, query
        assert forbidden_in(page) == []
        assert shown or "No report matches" in text_of(page)


def test_a_report_is_complete_at_first_paint_with_the_summary_first(owner: Client, report: str) -> None:
    page = get(owner, f"/reports/{report}/")
    assert forbidden_in(page) == []
    parts = ["In short", "Differences", "Latency", "Side by side", "Where each container lives",
             "Medians of blocks over time", "Timeline", "Evidence ?", "Environment"]  # fmt: skip
    read = text_of(page)
    places = [read.index(part) for part in parts]
    assert places == sorted(places)
    assert "Docker Engine 26.1.5" in read
    assert re.search(r"is slower than 127\.0\.0\.1 → host( \S+)? by", read), "in the words of the charts"
    assert "Names resolve." in read
    assert "<strong>Markdown</strong>" in page
    assert get_report(report).digest in read
    assert "imported" in read


def test_every_difference_links_to_its_evidence(owner: Client, report: str) -> None:
    page = get(owner, f"/reports/{report}/")
    targets = re.findall(r'href="#(section-\w+)"', page)
    assert len(targets) == 5
    assert all(f'id="{one}"' in page for one in targets)


def test_ids_are_unique_even_with_two_runs_of_one_probe(owner: Client) -> None:
    content = make_content()
    twice = replace(
        content, measurements=(*content.measurements, *(replace(r, id="run9") for r in content.measurements))
    )
    page = get(owner, f"/reports/{saved_reports.import_file(make_file(twice))}/")
    found = re.findall(r'\sid="([^"]+)"', page)
    assert len(found) == len(set(found))


def test_the_shown_command_computes_the_shown_hash(report: str) -> None:
    file = make_file()
    assert f"+{BEFORE + 1} " in hash_command(report)
    assert f"-{BEHIND} " in hash_command(report)
    content = file[BEFORE:-BEHIND]
    assert frame(content) == file
    assert canonical(make_content()) == content


def test_a_long_timeline_shows_its_end_and_on_request_all_entries(owner: Client) -> None:
    number = saved_reports.import_file(make_file(make_content(changes=300)))
    assert "Change 0 " not in text_of(get(owner, f"/reports/{number}/"))
    assert "Change 0 " in text_of(get(owner, f"/reports/{number}/?lines=all"))


@pytest.mark.parametrize("path", ["", "track/", "share/", "export.json", "export.exe"])
def test_a_missing_report_is_not_found(owner: Client, path: str) -> None:
    get(owner, f"/reports/nobody/{path}", 404)


def test_the_replay_gets_its_recording(owner: Client, report: str) -> None:
    answer = owner.get(f"/reports/{report}/track/", **HERE)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert answer.json()


@pytest.mark.parametrize(
    ("ending", "kind", "begins"),
    [
        ("html", "text/html; charset=utf-8", b"<!doctype html>"),
        ("json", "application/json", b'{"content":'),
        ("csv", "text/csv; charset=utf-8", b""),
        ("md", "text/markdown; charset=utf-8", b"#"),
    ],
)
def test_an_export_is_a_download_and_not_a_page(
    owner: Client, report: str, ending: str, kind: str, begins: bytes
) -> None:
    answer = owner.get(f"/reports/{report}/export.{ending}", **HERE)
    assert answer.status_code == 200
    assert answer["Content-Type"] == kind
    assert answer["Content-Disposition"] == f'attachment; filename="host-or-bridge-{report}.{ending}"'
    assert answer["Content-Security-Policy"].startswith("sandbox;")
    assert answer.content.startswith(begins)


async def test_histograms_are_streamed_completely() -> None:
    number = await sync_to_async(saved_reports.import_file)(make_file())
    answer = await http("GET", f"/reports/{number}/export.histograms.csv", who=await person())
    assert answer.status == 200
    assert answer["content-type"] == "text/csv; charset=utf-8"
    assert answer.text == "".join(histogram_lines(make_content()))


def test_a_remark_is_shown_and_does_not_change_the_report(owner: Client, report: str) -> None:
    before = get_report(report).digest
    answer = owner.post(f"/reports/{report}/annotate/", {"text": "Seen **again**.\n\n<b>x</b>"}, follow=True, **HERE)
    page = answer.content.decode()
    assert "Seen <strong>again</strong>." in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert get_report(report).digest == before


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 20_001])
def test_an_invalid_remark_comes_back_with_the_entered_text(owner: Client, report: str, text: str) -> None:
    answer = owner.post(f"/reports/{report}/annotate/", {"text": text}, **HERE)
    assert answer.status_code == 400
    assert f">{text}</textarea>" in answer.content.decode()
    assert 'id="remark-problem"' in answer.content.decode()
    assert not Annotation.objects.exists()


def test_a_deleted_report_can_be_restored_on_the_next_page(owner: Client, report: str) -> None:
    page = owner.post(f"/reports/{report}/delete/", follow=True, **HERE).content.decode()
    assert "were deleted" in text_of(page)
    get(owner, f"/reports/{report}/", 404)
    assert f'action="/reports/{report}/undelete/"' in page
    assert owner.post(f"/reports/{report}/undelete/", follow=True, **HERE).status_code == 200
    assert owner.post(f"/reports/{report}/undelete/", **HERE).status_code == 404


def test_undo_is_offered_only_for_deleted_reports(owner: Client, report: str) -> None:
    for number in (report, "nobody", "<b>"):
        assert "were deleted" not in get(owner, f"/reports/?deleted={number}")


def test_an_archived_report_is_hidden_from_the_list_until_it_is_unarchived(owner: Client, report: str) -> None:
    owner.post(f"/reports/{report}/archive/", {"archived": "yes"}, **HERE)
    assert find_reports().total == 0
    assert "archived" in text_of(get(owner, f"/reports/{report}/"))
    owner.post(f"/reports/{report}/archive/", {"archived": "no"}, **HERE)
    assert find_reports().total == 1


def test_a_failed_save_comes_back_with_the_entered_values(owner: Client) -> None:
    experiment = experiment_store.create_experiment(make_spec("host", "bridge"))
    experiment_store.set_wanted(experiment, Wanted.REMOVED)
    typed = {"title": "My title", "tags": "a, b", "notes": "My\nnotes <x>"}
    answer = owner.post(f"/experiments/{experiment}/save/", typed, **HERE)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert 'value="My title"' in page
    assert 'value="a, b"' in page
    assert "My\nnotes &lt;x&gt;</textarea>" in page
    assert "The report was not saved" in text_of(page)
    assert not Report.objects.exists()


def test_a_missing_measurement_is_refused_with_a_sentence(owner: Client) -> None:
    answer = owner.post("/measurements/nobody/save/", {"title": "x"}, **HERE)
    assert answer.status_code == 400
    assert 'value="x"' in answer.content.decode()


def test_an_exported_file_can_be_imported(owner: Client) -> None:
    file = SimpleUploadedFile("r.json", make_file(), content_type="application/json")
    answer = owner.post("/reports/import/", {"file": file}, **HERE)
    assert answer.status_code == 302
    assert find_reports().total == 1


def upload(owner: Client, name: str = "monday.json") -> str:
    """Imports a report; returns the page that follows."""
    file = SimpleUploadedFile(name, make_file(), content_type="application/json")
    answer = owner.post("/reports/import/", {"file": file}, follow=True, **HERE)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_an_imported_report_is_marked_with_its_file_and_its_installation(owner: Client) -> None:
    page = text_of(upload(owner))
    assert "Not measured by this installation: installation inst234567 saved it ·" in page
    assert "from monday.json" in page
    listed = text_of(get(owner, "/reports/"))
    assert re.search(r"imported on [^·]+ from monday\.json", listed)


def test_a_report_that_this_installation_saved_is_not_called_measured_elsewhere(owner: Client) -> None:
    own = make_file(make_content(installation=installation_id()))
    number = saved_reports.import_file(own, file_name="own.json")
    assert "Saved by this installation and imported from its export ·" in text_of(get(owner, f"/reports/{number}/"))


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


def test_deleted_reports_have_a_page_to_restore_them_or_remove_them_for_ever(owner: Client) -> None:
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


def make_link(owner: Client, report: str, **typed: str) -> str:
    """Creates a link; returns its path."""
    answer = owner.post(f"/reports/{report}/share/", {"days": "7", **typed}, **HERE)
    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    found = re.search(r"http://127\.0\.0\.1(/r/[\w-]{22}/)<", answer.content.decode())
    assert found is not None
    return found[1]


def test_a_link_is_shown_once_and_opens_without_a_session(owner: Client, report: str) -> None:
    path = make_link(owner, report)
    assert path.split("/")[2] not in get(owner, f"/reports/{report}/share/")
    answer = Client().get(path, **HERE)
    assert answer.status_code == 200
    assert "Host or bridge" in answer.content.decode()
    policy = answer["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'; script-src 'sha256-")
    assert "allow-same-origin" not in policy
    assert "unsafe" not in policy
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["X-Robots-Tag"] == "noindex"
    assert answer["Cache-Control"] == "no-store"
    assert not answer.cookies
    assert "Cookie" not in answer.get("Vary", "")


def test_an_anonymised_link_shows_no_detail_of_the_preview(owner: Client, report: str) -> None:
    page = get(owner, f"/reports/{report}/share/")
    assert all(f"<code>{detail}</code>" in page for detail in ("lab-1", "172.17.0.2"))
    document = Client().get(make_link(owner, report, scrub="on"), **HERE).content.decode()
    complete = Client().get(make_link(owner, report), **HERE).content.decode()
    assert "details of the machine removed" in document
    for detail in ("lab-1", "Ada", "inst234567", "172.17.0.2", "706cad676bae"):
        assert detail in complete
        assert detail not in document
    assert "Docker Engine 26.1.5" in document


def test_only_a_get_counts_as_a_view(owner: Client, report: str) -> None:
    path = make_link(owner, report)
    for method in ("get", "head", "head", "get"):
        assert getattr(Client(), method)(path, **HERE).status_code == 200
    (link,) = report_shares.shares_of(report)
    assert link.views == 2
    assert "2 views" in text_of(get(owner, f"/reports/{report}/share/"))


def test_every_invalid_link_gets_the_same_response(
    owner: Client, report: str, caplog: pytest.LogCaptureFixture
) -> None:
    revoked, expired, deleted = (make_link(owner, report) for _ in range(3))
    shares = list(Share.objects.order_by("pk"))
    answer = owner.post(f"/reports/{report}/shares/{shares[0].pk}/revoke/", **HERE)
    assert answer.status_code == 302
    Share.objects.filter(pk=shares[1].pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    paths = [revoked, expired, "/r/" + "A" * 22 + "/", "/r/short/", "/r/" + "%C3%BC" * 22 + "/"]
    answers = [Client().get(path, **HERE) for path in paths]
    saved_reports.delete(report)
    answers.append(Client().get(deleted, **HERE))
    assert {one.status_code for one in answers} == {404}
    assert len({one.content for one in answers}) == 1
    assert len({tuple(sorted(one.headers.items())) for one in answers}) == 1
    assert not any(one.cookies for one in answers)
    assert "/r/" not in caplog.text


@pytest.mark.parametrize(
    "path", ["/r/", "/r", "/r/{0}", "/r/{0}/x", "/r/{0}/track/", "/r//", "/R/{0}/", "/reports/{1}/", "/r/{0}/../"]
)
def test_a_token_opens_nothing_but_its_link(owner: Client, report: str, path: str) -> None:
    token = make_link(owner, report).split("/")[2]
    answer = Client().get(path.format(token, report), **HERE)
    assert answer.status_code in {301, 401, 404}
    assert "Host or bridge" not in answer.content.decode()


def test_a_link_permits_nothing_but_reading(owner: Client, report: str) -> None:
    path = make_link(owner, report)
    before = (list(Report.objects.values()), list(Annotation.objects.values()), Share.objects.count())
    parts = ("", "track/", "annotate/", "archive/", "delete/", "undelete/", "share/", "shares/1/revoke/", "export.json")
    own = [f"/reports/{report}/{part}" for part in parts]
    elsewhere = ["/reports/", "/reports/import/", "/", "/experiments/", "/api/reports", f"/api/reports/{report}"]
    for address in (*own, *elsewhere):
        for method in ("get", "post", "put", "patch", "delete", "head", "options"):
            answer = getattr(Client(), method)(address, **HERE)
            assert answer.status_code in {401, 403, 405}, (method, address)
            assert b"Host or bridge" not in answer.content
    for method in ("post", "put", "patch", "delete", "options"):
        assert getattr(Client(), method)(path, **HERE).status_code == 405
    assert (list(Report.objects.values()), list(Annotation.objects.values()), Share.objects.count()) == before


def test_a_link_needs_a_listed_duration(owner: Client, report: str) -> None:
    for days in ("", "-1", "2", "1e9", "x"):
        answer = owner.post(f"/reports/{report}/share/", {"days": days}, **HERE)
        assert answer.status_code == 400
        assert 'role="alert"' in answer.content.decode()
    assert not Share.objects.exists()


@pytest.mark.parametrize(("days", "ends"), [("7", True), ("0", False)])
def test_a_link_expires_after_the_chosen_duration(owner: Client, report: str, days: str, ends: bool) -> None:
    make_link(owner, report, days=days)
    (link,) = report_shares.shares_of(report)
    assert (link.expires_at is not None) is ends
    if link.expires_at is not None:
        assert timedelta(days=6, hours=23) < link.expires_at - timezone.now() <= timedelta(days=7)


def test_a_link_is_revoked_only_through_its_own_report(owner: Client, report: str) -> None:
    make_link(owner, report)
    other = saved_reports.import_file(make_file())
    (link,) = report_shares.shares_of(report)
    for address in (f"/reports/{other}/shares/{link.id}/revoke/", f"/reports/{report}/shares/9x/revoke/"):
        assert owner.post(address, **HERE).status_code == 404
    assert report_shares.shares_of(report)[0].live
    assert owner.post(f"/reports/{report}/shares/{link.id}/revoke/", **HERE).status_code == 302
    assert "revoked" in text_of(get(owner, f"/reports/{report}/share/"))


def test_a_new_installation_shows_the_example_until_it_has_reports(owner: Client) -> None:
    page = get(owner, "/")
    assert "The Engine discarded -p for host" in text_of(page)
    assert 'href="/reports/example/"' in page
    saved_reports.import_file(make_file())
    assert "/reports/example/" not in get(owner, "/")


def test_the_example_is_a_complete_report_without_details_of_a_machine(owner: Client) -> None:
    page = get(owner, "/reports/example/")
    assert forbidden_in(page) == []
    assert "on a private host" in text_of(page)
    assert "/reports/example/track/" in page
    assert 'action="/reports/' not in page
    assert owner.get("/reports/example/track/", **HERE).json()["seqs"]
    content = decode_content(example.FILE.read_bytes()[BEFORE:-BEHIND])
    texts = "\n".join(collect_texts(content))
    for address in re.findall(r"\b\d+\.\d+\.\d+\.\d+\b", texts):
        assert any(ip_address(address) in network for network in DOCUMENTED), address
    assert {mac[:14] for mac in re.findall(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", texts)} <= {
        "00:00:5e:00:53",
        "00:00:00:00:00",
    }
    assert example.FILE.stat().st_size <= 300_000
    assert (content.author, content.installation) == ("", "")
