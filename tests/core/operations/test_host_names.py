"""Settings with host names and origins: as browsers send them, or refused."""

from __future__ import annotations

import pytest

from dashboard.core.operations.host_names import parse_hosts, parse_origins


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("netmodes.example.org", "netmodes.example.org"),
        ("Netmodes.Example.ORG", "netmodes.example.org"),
        ("lab_1", "lab_1"),
        ("192.0.2.5", "192.0.2.5"),
        ("[2001:db8::5]", "[2001:db8::5]"),
        ("2001:DB8:0:0::5", "[2001:db8::5]"),
    ],
)
def test_a_host_name_is_compared_as_browsers_send_it(text: str, host: str) -> None:
    assert parse_hosts([text]) == (host,)


@pytest.mark.parametrize(
    "text", ["https://a.example", "a.example/", "a.example:443", "[2001:db8::5]:8000", "[a", "a b", "*", ".a.example"]
)
def test_a_text_that_is_no_exact_host_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^NETMODES_ALLOWED_HOSTS takes "):
        parse_hosts(["a.example", text])


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://netmodes.example.org", "https://netmodes.example.org"),
        ("https://Netmodes.example.org/", "https://netmodes.example.org"),
        ("HTTPS://a.example:443", "https://a.example"),
        ("http://a.example:80/", "http://a.example"),
        ("http://a.example:443", "http://a.example:443"),
        ("http://[2001:db8::5]:8000", "http://[2001:db8::5]:8000"),
    ],
)
def test_an_origin_is_compared_as_browsers_send_it(text: str, origin: str) -> None:
    assert parse_origins([text]) == (origin,)


@pytest.mark.parametrize(
    "text",
    [
        *("a.example", "//a.example", "ftp://a.example", "https://", "https:///", "https://a.example//"),
        *("https://a.example/netmodes", "https://user@a.example", "https://*.a.example", "https://a.example:x"),
    ],
)
def test_a_text_that_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^NETMODES_TRUSTED_ORIGINS takes origins such as "):
        parse_origins([text])
