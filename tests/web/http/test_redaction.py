"""Addresses that contain a token are logged without it, and cancelled requests are not logged."""

from __future__ import annotations

import asyncio
import io
import logging
import threading
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.test import Client

from dashboard.web.http.redaction import OmitTraceback, RedactTokens
from tests.support.polling import others_run


@pytest.mark.parametrize(
    ("message", "arguments", "logged"),
    [
        ("%s: %s", ("Not Found", "/r/AbC-1_xyz/"), "Not Found: /r/…/"),
        ("Forbidden (%s): %s", ("Origin", "/r/AbC%2d1?x=1"), "Forbidden (Origin): /r/…?x=1"),
        ("GET /sign-in/?token=AbC_1&next=/", (), "GET /sign-in/?token=…&next=/"),
        ("%s: %s", ("Not Found", "/results/AbC-1/"), "Not Found: /results/…/"),
        ("Gone: /sessions/x/console/results/export.csv", (), "Gone: /sessions/x/console/results/export.csv"),
        ("%s: %s", ("Not Found", "/reports/abc/"), "Not Found: /reports/abc/"),
        ("100 % done", (), "100 % done"),
    ],
)
def test_tokens_are_redacted_in_logs(message: str, arguments: tuple[str, ...], logged: str) -> None:
    record = logging.LogRecord("x", logging.WARNING, "file", 1, message, arguments, None)
    assert RedactTokens().filter(record)
    assert record.getMessage() == logged


def test_all_log_handlers_and_loggers_of_refusals_redact_tokens() -> None:
    handlers: Any = settings.LOGGING["handlers"]
    assert handlers["stderr"]["filters"] == ["tokens", "tracebacks"]
    for name in ("django.request", "django.security.csrf"):
        assert any(isinstance(one, RedactTokens) for one in logging.getLogger(name).filters), name


async def test_a_request_that_is_cancelled_in_an_async_view_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    begun = threading.Event()

    async def view() -> None:
        begun.set()
        await asyncio.Event().wait()

    request = asyncio.create_task(sync_to_async(async_to_sync(view))())  # as below Django's middleware
    await asyncio.to_thread(begun.wait, 10)
    request.cancel()
    await asyncio.wait([request])
    assert request.cancelled()
    await others_run()
    assert not caplog.records


async def test_only_cancellations_in_shielded_work_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    for error, message in (
        (asyncio.CancelledError(), "CancelledError exception in shielded future"),
        (ValueError(), "ValueError exception in shielded future"),
        (asyncio.CancelledError(), "Exception in callback"),
    ):
        loop.call_exception_handler({"message": message, "exception": error, "future": loop.create_future()})
    assert [record.getMessage().split("\n")[0] for record in caplog.records] == [
        "ValueError exception in shielded future",
        "Exception in callback",
    ]


#: Requests that Django answers with 400: the body and its type.
MALFORMED = {
    "too many fields": ("&".join(f"a{number}=1" for number in range(3000)), "application/x-www-form-urlencoded"),
    "too large": (f"a={'x' * (2 << 20)}", "application/x-www-form-urlencoded"),
    "not multipart": ("--x", "multipart/form-data; boundary="),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_is_logged_in_one_line(name: str) -> None:
    body, kind = MALFORMED[name]
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    for each in (RedactTokens(), OmitTraceback()):
        handler.addFilter(each)
    logging.getLogger().addHandler(handler)
    try:
        answer = Client(HTTP_HOST="127.0.0.1:8000").post("/join/?code=AbC", body, content_type=kind)
    finally:
        logging.getLogger().removeHandler(handler)
    assert answer.status_code == 400
    assert written.getvalue().count("\n") == 1, written.getvalue()
    assert "AbC" not in written.getvalue()


def test_a_failure_of_the_server_keeps_its_traceback() -> None:
    record = logging.LogRecord("x", logging.ERROR, "file", 1, "failed", (), (ValueError, ValueError(), None))
    record.status_code = 500
    assert OmitTraceback().filter(record)
    assert record.exc_info
    assert record.levelname == "ERROR"
