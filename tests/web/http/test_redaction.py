"""Addresses that contain a token are logged without it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.conf import settings

from dashboard.web.http.redaction import RedactTokens


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
    assert handlers["stderr"]["filters"] == ["tokens"]
    for name in ("django.request", "django.security.csrf"):
        assert any(isinstance(one, RedactTokens) for one in logging.getLogger(name).filters), name
