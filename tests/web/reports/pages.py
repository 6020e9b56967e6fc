"""Requests for pages of reports."""

from __future__ import annotations

import re
from typing import Any

from django.test import Client

HERE: dict[str, Any] = {"HTTP_HOST": "127.0.0.1", "HTTP_ORIGIN": "http://127.0.0.1"}


def text_of(page: str) -> str:
    """The visible text of a page, in one line."""
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def get(owner: Client, path: str, status: int = 200) -> str:
    """The text of a page; AssertionError if the response has another status."""
    answer = owner.get(path, **HERE)
    assert answer.status_code == status, path
    return str(answer.content.decode())
