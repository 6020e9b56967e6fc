"""Exports and imports whose client disconnects: the work ends, and nothing is left."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from dashboard.export import formats, pdf
from dashboard.export.html import render_file
from dashboard.models import Report, ReportTag
from dashboard.store.reports import saved as saved_reports
from dashboard.web.http.threaded_views import ClientGoneError
from dashboard.web.operations.accounts import guard
from tests.support.polling import eventually
from tests.support.reports import make_file
from tests.web.asgi_client import Person, abandon, http

pytestmark = pytest.mark.django_db(transaction=True)
TIMEOUT_S = 20
JSON = (("content-type", "application/json"),)
FORM = (("content-type", MULTIPART_CONTENT),)
UPLOAD = encode_multipart(BOUNDARY, {"file": SimpleUploadedFile("lab.json", make_file())})


@pytest.fixture
async def report() -> str:
    made: str = await sync_to_async(saved_reports.import_file)(make_file())
    return made


def has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("address", ["/reports/{}/export.pdf", "/api/reports/{}/export/pdf"])
async def test_a_cancelled_export_ends_its_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, me: Person, report: str, address: str
) -> None:
    child, pid = tmp_path / "child.py", tmp_path / "pid"
    child.write_text(f"import os, signal\nopen({str(pid)!r}, 'w').write(f'{{os.getpid()}}\\n')\nsignal.pause()")
    monkeypatch.setattr(pdf, "_CHILD", child)
    await abandon("GET", address.format(report), lambda: pid.exists() and pid.read_text().endswith("\n"), who=me)
    await eventually(lambda: has_ended(int(pid.read_text())))


async def test_a_cancelled_export_of_histograms_ends_its_generator(
    monkeypatch: pytest.MonkeyPatch, me: Person, report: str
) -> None:
    started, ended = threading.Event(), threading.Event()

    def endless(_content: object) -> Iterator[str]:
        try:
            while True:
                started.set()
                yield "0,1\n"
        finally:
            ended.set()

    monkeypatch.setattr(formats, "histogram_lines", endless)
    await abandon("GET", f"/reports/{report}/export.histograms.csv", started.is_set, who=me)
    await eventually(ended.is_set)


async def test_a_cancelled_export_as_html_ends_within_its_table(
    monkeypatch: pytest.MonkeyPatch, me: Person, report: str
) -> None:
    began, resumed, ended = threading.Event(), threading.Event(), threading.Event()

    def watched(*given: Any, check: Callable[[], None], **more: Any) -> bytes:
        """Rendering waits in the table until the client is gone."""
        calls = 0

        def held() -> None:
            nonlocal calls
            calls += 1
            if calls == 3:
                began.set()
                resumed.wait(TIMEOUT_S)
            check()

        try:
            return render_file(*given, check=held, **more)
        except ClientGoneError:
            ended.set()
            raise

    monkeypatch.setattr(formats, "render_file", watched)
    await abandon("GET", f"/reports/{report}/export.html", began.is_set, who=me)
    resumed.set()
    await eventually(ended.is_set)


@pytest.mark.parametrize(
    ("address", "headers", "body"), [("/reports/import/", FORM, UPLOAD), ("/api/reports/import", JSON, make_file())]
)
async def test_a_cancelled_import_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, me: Person, address: str, headers: tuple[tuple[str, str], ...], body: bytes
) -> None:
    stored, resumed, ended = threading.Event(), threading.Event(), threading.Event()
    import_once, add_tags, store = saved_reports.import_once, ReportTag.objects.bulk_create, guard._store

    def hold(*given: Any, **more: Any) -> Any:
        """The last statement of the transaction waits until the client is gone."""
        made = add_tags(*given, **more)
        stored.set()
        resumed.wait(TIMEOUT_S)
        return made

    def watched(*given: Any, **more: Any) -> Any:
        try:
            return import_once(*given, **more)
        finally:
            ended.set()

    def resume(*given: Any) -> None:
        """The audit entry of the cancelled command waits for the transaction."""
        resumed.set()
        store(*given)

    monkeypatch.setattr(ReportTag.objects, "bulk_create", hold)
    monkeypatch.setattr(saved_reports, "import_once", watched)
    monkeypatch.setattr(guard, "_store", resume)
    await abandon("POST", address, stored.is_set, who=me, headers=headers, body=body)
    await eventually(ended.is_set)
    assert not await Report.objects.aexists()
    assert not await ReportTag.objects.aexists()


async def test_a_failed_transfer_has_its_reason_as_text_for_a_script(
    monkeypatch: pytest.MonkeyPatch, me: Person, report: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    export = await http(
        "GET", f"/reports/{report}/export.pdf", who=me, headers=(("accept", "application/octet-stream"),)
    )
    assert export.status == 501
    assert export.text.startswith("PDF export needs the typesetter typst")
    headers = (("accept", "application/json"), *FORM)
    broken = UPLOAD.replace(b"Ada", b"Eve")
    refused = await http("POST", "/reports/import/", who=me, headers=headers, body=broken, token=True)
    assert refused.status == 400
    assert "hash does not match" in refused.json["detail"]
    known = await http("POST", "/reports/import/", who=me, headers=headers, body=UPLOAD, token=True)
    assert known.json == {"url": f"/reports/?existing={report}&file=lab.json"}
