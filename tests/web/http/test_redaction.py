"""Addresses with a token in them are logged without it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.conf import settings

from dashboard.web.http.redaction import WithoutTokens


@pytest.mark.parametrize(
    ("said", "arguments", "logged"),
    [
        ("%s: %s", ("Not Found", "/r/AbC-1_xyz/"), "Not Found: /r/…/"),
        ("Forbidden (%s): %s", ("Origin", "/r/AbC%2d1?x=1"), "Forbidden (Origin): /r/…?x=1"),
        ("GET /sign-in/?token=AbC_1&next=/", (), "GET /sign-in/?token=…&next=/"),
        ("%s: %s", ("Not Found", "/reports/abc/"), "Not Found: /reports/abc/"),
        ("100 % done", (), "100 % done"),
    ],
)
def test_a_token_is_left_out_of_what_is_logged(said: str, arguments: tuple[str, ...], logged: str) -> None:
    record = logging.LogRecord("x", logging.WARNING, "file", 1, said, arguments, None)
    assert WithoutTokens().filter(record)
    assert record.getMessage() == logged


def test_every_line_on_stderr_and_every_refusal_goes_through_it() -> None:
    handlers: Any = settings.LOGGING["handlers"]
    assert handlers["stderr"]["filters"] == ["tokens"]
    for name in ("django.request", "django.security.csrf"):
        assert any(isinstance(one, WithoutTokens) for one in logging.getLogger(name).filters), name
