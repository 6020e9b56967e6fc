"""The API of reports: operations, refusals, and what the holder of a link may do."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from channels.db import database_sync_to_async

from dashboard.core.operations.json_schemas import schema_of
from dashboard.core.reports.parse import MAX_BYTES
from dashboard.export.formats import Format
from dashboard.models import Experiment, Report, Share
from dashboard.store.reports import listing
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports import shares as report_shares
from dashboard.web.service import service
from tests.store.reports.test_snapshot import launched, measured
from tests.support.json_schema import violations
from tests.support.reports import ENGINE, make_content, make_file, make_run
from tests.web.asgi_client import NOBODY, Person, flood, http, post_json

pytestmark = pytest.mark.django_db(transaction=True)
FILE = make_file(make_content(4, [make_run(rounds=12)]))
JSON = (("content-type", "application/json"),)


@pytest.fixture
async def report() -> str:
    made: str = await database_sync_to_async(saved_reports.import_file)(FILE)
    return made


async def get(me: Person, path: str) -> Any:
    answer = await http("GET", f"/api/reports{path}", who=me)
    assert answer.status == 200, answer.text
    return answer.json


async def test_an_export_is_imported_as_the_same_bytes(me: Person, report: str) -> None:
    exported = await http("GET", f"/api/reports/{report}", who=me)
    assert exported.body == FILE
    assert exported["content-type"] == "application/json"
    await database_sync_to_async(Report.objects.all().delete)()
    made = await http("POST", "/api/reports/import", who=me, headers=JSON, body=exported.body, token=True)
    assert made.status == 201
    assert made.json["imported_from"] == "inst234567"
    assert (await http("GET", f"/api/reports/{made.json['id']}", who=me)).body == FILE


async def test_a_second_import_returns_the_first_report_unless_a_copy_is_requested(me: Person) -> None:
    async def send(query: str) -> Any:
        return await http("POST", f"/api/reports/import{query}", who=me, headers=JSON, body=FILE, token=True)

    first, again, copy = [await send(query) for query in ("?file=lab.json", "?file=other.json", "?copy=true")]
    assert [one.status for one in (first, again, copy)] == [201, 200, 201]
    assert [one.json["existing"] for one in (first, again, copy)] == [False, True, False]
    assert first.json["id"] == again.json["id"] != copy.json["id"]
    assert again.json["imported_file"] == "lab.json"
    assert again.json["imported_at"] > 0


async def test_deleted_reports_are_listed_and_purged(me: Person, report: str) -> None:
    async def act(action: str) -> int:
        return (await post_json(f"/api/reports/{report}/{action}", me, {})).status

    assert await act("purge") == 404
    assert await act("delete") == 200
    listed = await get(me, "?deleted=true")
    assert [one["id"] for one in listed["reports"]] == [report]
    assert listed["reports"][0]["deleted_at"] > 0
    assert await act("purge") == 200
    assert (await get(me, "?deleted=true"))["total"] == 0


async def test_a_report_and_its_file_fit_the_published_schema(me: Person) -> None:
    schema = (await http("GET", "/api/schemas/report/1", who=me)).json
    assert schema == json.loads(json.dumps(schema_of("report/1")))
    assert violations(json.loads(FILE), schema) == []
    assert violations({**json.loads(FILE), "hash": 7}, schema)


async def test_an_experiment_and_a_measurement_are_saved(me: Person) -> None:
    experiment = await database_sync_to_async(launched)()
    run = await database_sync_to_async(measured)(experiment)
    details = {"title": "Both", "notes": "why", "tags": ["Lab"]}
    for wanted, runs in (
        ({"experiment": experiment}, 1),
        ({"experiment": experiment, "runs": []}, 0),
        ({"measurement": run}, 1),
    ):
        made = await post_json("/api/reports", me, {**wanted, **details})
        assert made.status == 201, made.text
        content = (await get(me, f"/{made.json['id']}"))["content"]
        assert len(content["measurements"]) == runs
        assert (content["title"], content["notes"], content["tags"], content["author"]) == (
            "Both",
            "why",
            ["lab"],
            "owner",
        )
    assert (await get(me, "?mine=true"))["total"] == 3


@pytest.mark.parametrize(("host", "is_own"), [("", True), ("lan-1", False)])
async def test_a_report_without_measurements_describes_the_server_only_if_the_experiment_ran_on_its_engine(
    me: Person, monkeypatch: pytest.MonkeyPatch, host: str, *, is_own: bool
) -> None:
    monkeypatch.setattr(type(service), "engine", ENGINE)
    experiment = await database_sync_to_async(launched)()
    await Experiment.objects.filter(pk=experiment).aupdate(host=host)
    made = await post_json("/api/reports", me, {"experiment": experiment})
    content = (await get(me, f"/{made.json['id']}"))["content"]
    assert (content["experiment"]["engine"]["name"] == "lab-1") is is_own
    assert (content["environment"]["cores"] > 0) is is_own


@pytest.mark.parametrize(
    "body", [{}, {"experiment": "nothing"}, {"measurement": "nothing"}, {"experiment": "a", "measurement": "b"}]
)
async def test_a_failed_save_is_refused_with_a_sentence(me: Person, body: dict[str, str]) -> None:
    answer = await post_json("/api/reports", me, body)
    assert answer.status == 400
    assert answer.json["detail"].endswith(".")


async def test_reports_are_found(me: Person, report: str) -> None:
    for query, total in (
        ("", 1),
        ("?query=bridge%20ada", 1),
        ("?query=paris", 0),
        ("?tag=lab&tag=november", 1),
        ("?tag=x", 0),
    ):
        assert (await get(me, query))["total"] == total, query
    assert (await get(me, "?origin=measurement"))["total"] == (await get(me, "?mine=true"))["total"] == 0
    assert (await get(me, ""))["reports"][0]["id"] == report
    assert (await http("GET", "/api/reports?page=0", who=me)).status == 422
    assert (await http("GET", "/api/reports?origin=x", who=me)).status == 422


@pytest.mark.parametrize("form", list(Format))
async def test_each_format_is_a_sandboxed_download(me: Person, report: str, form: Format) -> None:
    answer = await http("GET", f"/api/reports/{report}/export/{form}", who=me)
    assert answer.status == 200
    assert answer["content-disposition"] == f'attachment; filename="host-or-bridge-{report}.{form}"'
    assert answer["content-security-policy"].startswith("sandbox")
    assert len(answer.body) > 100


async def test_an_unknown_format_is_refused_with_the_list_of_formats(me: Person, report: str) -> None:
    answer = await http("GET", f"/api/reports/{report}/export/docx", who=me)
    assert answer.status == 404
    assert "html, pdf, json, csv, md" in answer.json["detail"]


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"{}", 400, "not a report"),
        (b"[" * 1_000_000, 400, "nested levels"),
        (FILE.replace(b"Ada", b"Eve"), 400, "hash does not match"),
        (b" " * (MAX_BYTES + 1), 413, "at most"),
    ],
)
async def test_an_invalid_report_is_refused_and_not_stored(me: Person, data: bytes, status: int, words: str) -> None:
    answer = await http("POST", "/api/reports/import", who=me, headers=JSON, body=data, token=True)
    assert answer.status == status
    assert words in answer.json["detail"]
    assert not await database_sync_to_async(Report.objects.exists)()


async def test_an_endless_upload_is_refused() -> None:
    assert (await flood("/api/reports/import", 1 << 30)).status == 413
    assert (await flood("/reports/import/", 1 << 30)).status == 413


async def test_remarks_are_listed_with_the_report(me: Person, report: str) -> None:
    assert (await post_json(f"/api/reports/{report}/remarks", me, {"text": "Seen."})).status == 201
    assert (await post_json(f"/api/reports/{report}/remarks", me, {"text": " "})).status == 400
    about = await get(me, f"/{report}/about")
    assert [(one["author"], one["text"]) for one in about["remarks"]] == [("owner", "Seen.")]
    assert about["report"]["title"] == "Host or bridge"


async def test_a_report_is_archived_deleted_and_restored(me: Person, report: str) -> None:
    for action, shown, archived in (("archive", 0, 1), ("unarchive", 1, 0), ("delete", 0, 0), ("undelete", 1, 0)):
        answer = await post_json(f"/api/reports/{report}/{action}", me, {})
        assert (answer.status, answer.json) == (200, {"done": action})
        assert ((await get(me, ""))["total"], (await get(me, "?archived=true"))["total"]) == (shown, archived), action
    assert (await post_json(f"/api/reports/{report}/undelete", me, {})).status == 404
    assert (await post_json(f"/api/reports/{report}/shred", me, {})).status == 400


NOT_THERE = ("", "/about", "/export/json", "/removed", "/shares")


@pytest.mark.parametrize("path", NOT_THERE)
async def test_a_missing_report_is_404_at_every_address(me: Person, path: str) -> None:
    answer = await http("GET", f"/api/reports/nothing{path}", who=me)
    assert (answer.status, answer.json["detail"]) == (404, "There is no report with this id.")


async def test_no_write_reaches_a_missing_report(me: Person) -> None:
    for path, body in (
        ("remarks", {"text": "x"}),
        ("shares", {}),
        ("shares/1/revoke", {}),
        ("archive", {}),
        ("delete", {}),
    ):
        assert (await post_json(f"/api/reports/nothing/{path}", me, body)).status == 404, path


def rows_of_shares() -> str:
    return repr(list(Share.objects.values()))


async def test_a_link_shows_the_report_without_sign_in_and_nothing_else(
    me: Person, report: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = await post_json(f"/api/reports/{report}/shares", me, {"days": 1})
    assert (made.status, made.json["scrubbed"]) == (201, True)
    path = made.json["url"].removeprefix("http://127.0.0.1:8000")
    token = path.strip("/").removeprefix("r/")
    shown = await http("GET", path)
    assert shown.status == 200
    assert shown["referrer-policy"] == "no-referrer"
    assert shown["content-security-policy"].startswith("sandbox")
    assert shown["set-cookie"] == ""
    assert b"lab-1" not in shown.body
    kept = await database_sync_to_async(rows_of_shares)()
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert (await http(method, path)).status in {403, 405}
    for other in (report, f"{report}/delete", f"{report}/shares", "", "import"):
        assert (await http("GET", f"/api/reports/{other}?token={token}")).status == 401
        assert (
            await http("POST", f"/api/reports/{other}", headers=(*JSON, ("authorization", f"Bearer {token}")))
        ).status == 401
    (link,) = (await get(me, f"/{report}/shares"))["shares"]
    assert link["views"] == 1
    assert (await post_json(f"/api/reports/{report}/shares/{link['id']}/revoke", me, {})).status == 200
    gone, never = await http("GET", path), await http("GET", f"/r/{'x' * 22}/")
    assert gone.status == never.status == 404
    assert gone.body == never.body
    assert gone["referrer-policy"] == "no-referrer"
    listed = json.dumps(await get(me, f"/{report}/shares"))
    assert not [place for place in (caplog.text, kept, listed) if token in place]


async def test_a_link_begins_with_an_address_that_others_can_open(me: Person, report: str, settings: object) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://class.example.org"]  # type: ignore[attr-defined]
    made = await post_json(f"/api/reports/{report}/shares", me, {"days": 1})
    assert made.json["url"].startswith("https://class.example.org/r/")


async def test_a_link_can_be_complete_and_without_expiry(me: Person, report: str) -> None:
    made = await post_json(f"/api/reports/{report}/shares", me, {"days": None, "scrub": False})
    assert (made.json["expires_at"], made.json["scrubbed"]) == (None, False)
    token = made.json["url"].rstrip("/").rpartition("/")[2]
    document = await database_sync_to_async(report_shares.open_share)(token)
    assert document is not None
    assert b"lab-1" in document
    assert (await post_json(f"/api/reports/{report}/shares", me, {"days": 0})).status == 422


async def test_replacements_are_listed(me: Person, report: str) -> None:
    removed = (await get(me, f"/{report}/removed"))["removed"]
    assert {"host name", "address", "container id"} <= {one["kind"] for one in removed}
    assert {"kind", "before", "after", "count"} == set(removed[0])


async def test_a_trend_has_the_reports_of_one_experiment(me: Person, report: str) -> None:
    later = make_file(make_content(4, [make_run(rounds=2)], saved_at=1_900_000_000.0))
    second = await database_sync_to_async(saved_reports.import_file)(later)
    signature = (await get(me, f"/{report}/about"))["report"]["signature"]
    found = await get(me, f"/trends/{signature}")
    assert [one["id"] for one in found["reports"]] == [report, second]
    assert found["reports"][0]["series"][0]["series"][0]["p50_us"] > 0
    assert (await http("GET", "/api/reports/trends/nothing", who=me)).status == 404


async def test_a_trend_includes_archived_reports_on_every_page_and_no_deleted_ones(
    me: Person, report: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 1)
    later = make_file(make_content(4, [make_run(rounds=2)], saved_at=1_900_000_000.0))
    second = await database_sync_to_async(saved_reports.import_file)(later)
    signature = (await get(me, f"/{report}/about"))["report"]["signature"]
    for one in (report, second):
        await database_sync_to_async(saved_reports.archive)(one)
    found = await get(me, f"/trends/{signature}")
    assert (found["total"], [one["id"] for one in found["reports"]]) == (2, [report, second])
    await database_sync_to_async(saved_reports.delete)(second)
    assert [one["id"] for one in (await get(me, f"/trends/{signature}"))["reports"]] == [report]


async def test_the_api_requires_sign_in(report: str) -> None:
    for path in ("", f"/{report}", f"/{report}/export/html", f"/{report}/shares", "/trends/x"):
        assert (await http("GET", f"/api/reports{path}", who=NOBODY)).status == 401
