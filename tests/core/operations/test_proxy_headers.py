"""The client behind a reverse proxy: forged headers have no effect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.operations.proxy_headers import MAX_HOPS, client_behind, parse_proxies, scheme_behind

PROXIES = parse_proxies(["127.0.0.1", "10.1.0.0/16", "2001:db8:1::/48"])
VISITOR, OTHER = "198.51.100.7", "203.0.113.9"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        # No proxy, or an untrusted one: its headers do not count.
        (VISITOR, [], VISITOR),
        (VISITOR, [OTHER], VISITOR),
        (VISITOR, ["127.0.0.1"], VISITOR),
        ("10.2.0.1", [OTHER], "10.2.0.1"),
        ("", [OTHER], ""),
        # One proxy: its own entry counts, not those that the visitor forged before it.
        ("127.0.0.1", [VISITOR], VISITOR),
        ("127.0.0.1", [f"{OTHER}, {VISITOR}"], VISITOR),
        ("127.0.0.1", [OTHER, VISITOR], VISITOR),
        ("127.0.0.1", [f"127.0.0.1, {VISITOR}"], VISITOR),
        ("::ffff:127.0.0.1", [VISITOR], VISITOR),
        # Two in a row; a trusted proxy with a request of its own is the client.
        ("127.0.0.1", [f"{OTHER}, {VISITOR}, 10.1.2.3"], VISITOR),
        ("127.0.0.1", [f"{VISITOR},2001:db8:1::5"], VISITOR),
        ("127.0.0.1", ["10.1.2.3"], "10.1.2.3"),
        ("127.0.0.1", [], "127.0.0.1"),
        # Formats of other proxies, and invalid entries.
        ("127.0.0.1", [f"{VISITOR}:50000"], VISITOR),
        ("127.0.0.1", ["[2001:db8:2::1]:443"], "2001:db8:2::1"),
        ("127.0.0.1", [f"::ffff:{VISITOR}"], VISITOR),
        ("127.0.0.1", [f"{OTHER}, unknown"], "127.0.0.1"),
        ("127.0.0.1", [f"{OTHER},"], "127.0.0.1"),
        ("127.0.0.1", [", ".join([VISITOR, *["10.1.2.3"] * MAX_HOPS])], "10.1.2.3"),
    ],
)
def test_the_client_is_the_nearest_address_that_is_not_a_trusted_proxy(
    peer: str, forwarded: list[str], client: str
) -> None:
    assert client_behind(peer, forwarded, PROXIES) == client


@given(st.lists(st.text(max_size=40), max_size=5))
def test_whatever_a_visitor_sends_only_the_entry_of_the_proxy_counts(forged: list[str]) -> None:
    assert client_behind("127.0.0.1", [*forged, VISITOR], PROXIES) == VISITOR
    assert client_behind(VISITOR, forged, PROXIES) == VISITOR


@pytest.mark.parametrize(
    ("peer", "forwarded", "scheme"),
    [
        ("127.0.0.1", ["https"], "https"),
        ("127.0.0.1", ["HTTPS "], "https"),
        ("127.0.0.1", ["https, http"], "http"),
        ("127.0.0.1", ["http", "https"], "https"),
        ("127.0.0.1", ["javascript"], "http"),
        ("127.0.0.1", [""], "http"),
        ("127.0.0.1", [], "http"),
        (VISITOR, ["https"], "http"),
    ],
)
def test_the_scheme_is_the_one_that_a_trusted_proxy_reports(peer: str, forwarded: list[str], scheme: str) -> None:
    assert scheme_behind(peer, "http", forwarded, PROXIES) == scheme


@pytest.mark.parametrize("text", ["*", "proxy", "10.0.0.1/8", "0.0.0.0/0", "::/0", "10.0.0.0/33", "unix:"])
def test_an_invalid_proxy_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"^NETMODES_TRUSTED_PROXIES .*\.$"):
        parse_proxies(["127.0.0.1", text])
