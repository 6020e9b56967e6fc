"""The name to which browsers on this machine are redirected."""

from __future__ import annotations

import re

import pytest

from dashboard.core.operations.own_name import is_redirected, own_name
from dashboard.core.training.join_address import is_local

CHROMIUM = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15"


def test_the_name_is_local_constant_and_cannot_be_guessed() -> None:
    name = own_name("key")
    assert re.fullmatch(r"netmodes-[a-z2-7]{8}\.localhost", name)
    assert own_name("key") == name
    assert own_name("another key") != name
    assert is_local(f"http://{name}:8000")


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
@pytest.mark.parametrize("browser", [CHROMIUM, FIREFOX])
def test_pages_under_a_shared_name_are_redirected(name: str, browser: str) -> None:
    headers = {"Sec-Fetch-Dest": "document", "User-Agent": browser}
    assert is_redirected("GET", name, headers)
    assert is_redirected("HEAD", name, headers)
    assert not is_redirected("POST", name, headers)


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("127.0.0.1", {"User-Agent": "curl/8.14.1"}),
        ("127.0.0.1", {"Sec-Fetch-Dest": "document"}),
        ("127.0.0.1", {"Sec-Fetch-Dest": "document", "User-Agent": SAFARI}),
        ("127.0.0.1", {"Sec-Fetch-Dest": "empty", "User-Agent": CHROMIUM}),
        ("127.0.0.1", {"Sec-Fetch-Dest": "image", "User-Agent": FIREFOX}),
        ("192.0.2.2", {"Sec-Fetch-Dest": "document", "User-Agent": CHROMIUM}),
        ("netmodes.example.org", {"Sec-Fetch-Dest": "document", "User-Agent": CHROMIUM}),
        (own_name("key"), {"Sec-Fetch-Dest": "document", "User-Agent": CHROMIUM}),
    ],
)
def test_programs_other_names_and_browsers_that_may_not_resolve_the_name_are_not_redirected(
    name: str, headers: dict[str, str]
) -> None:
    assert not is_redirected("GET", name, headers)
