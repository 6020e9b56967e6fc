"""Who asks behind a reverse proxy: nobody gets to choose their own address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.operations.proxy_headers import MOST_HOPS, client_behind, proxies_of, scheme_behind

PROXIES = proxies_of(["127.0.0.1", "10.1.0.0/16", "2001:db8:1::/48"])
VISITOR, OTHER = "198.51.100.7", "203.0.113.9"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        # Nobody in between, or nobody of ours: what is said does not count.
        (VISITOR, [], VISITOR),
        (VISITOR, [OTHER], VISITOR),
        (VISITOR, ["127.0.0.1"], VISITOR),
        ("10.2.0.1", [OTHER], "10.2.0.1"),
        ("", [OTHER], ""),
        # One proxy: what it appended, and not what the visitor had invented before.
        ("127.0.0.1", [VISITOR], VISITOR),
        ("127.0.0.1", [f"{OTHER}, {VISITOR}"], VISITOR),
        ("127.0.0.1", [OTHER, VISITOR], VISITOR),
        ("127.0.0.1", [f"127.0.0.1, {VISITOR}"], VISITOR),
        ("::ffff:127.0.0.1", [VISITOR], VISITOR),
        # Two in a row; a proxy of ours that asks for itself is the client.
        ("127.0.0.1", [f"{OTHER}, {VISITOR}, 10.1.2.3"], VISITOR),
        ("127.0.0.1", [f"{VISITOR},2001:db8:1::5"], VISITOR),
        ("127.0.0.1", ["10.1.2.3"], "10.1.2.3"),
        ("127.0.0.1", [], "127.0.0.1"),
        # Spellings of other proxies, and what is no address.
        ("127.0.0.1", [f"{VISITOR}:50000"], VISITOR),
        ("127.0.0.1", ["[2001:db8:2::1]:443"], "2001:db8:2::1"),
        ("127.0.0.1", [f"::ffff:{VISITOR}"], VISITOR),
        ("127.0.0.1", [f"{OTHER}, unknown"], "127.0.0.1"),
        ("127.0.0.1", [f"{OTHER},"], "127.0.0.1"),
        ("127.0.0.1", [", ".join([VISITOR, *["10.1.2.3"] * MOST_HOPS])], "10.1.2.3"),
    ],
)
def test_the_client_is_the_nearest_that_is_no_proxy_of_ours(peer: str, forwarded: list[str], client: str) -> None:
    assert client_behind(peer, forwarded, PROXIES) == client


@given(st.lists(st.text(max_size=40), max_size=5))
def test_whatever_a_visitor_sends_the_proxy_s_own_word_counts(invented: list[str]) -> None:
    assert client_behind("127.0.0.1", [*invented, VISITOR], PROXIES) == VISITOR
    assert client_behind(VISITOR, invented, PROXIES) == VISITOR


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
def test_the_scheme_is_what_a_proxy_of_ours_says(peer: str, forwarded: list[str], scheme: str) -> None:
    assert scheme_behind(peer, "http", forwarded, PROXIES) == scheme


@pytest.mark.parametrize("word", ["*", "proxy", "10.0.0.1/8", "0.0.0.0/0", "::/0", "10.0.0.0/33", "unix:"])
def test_what_is_no_proxy_is_refused_with_a_sentence(word: str) -> None:
    with pytest.raises(ValueError, match=r"^NETMODES_TRUSTED_PROXIES .*\.$"):
        proxies_of(["127.0.0.1", word])
