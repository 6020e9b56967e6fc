"""Paths in words."""

from __future__ import annotations

import pytest

from dashboard.core.namespaces.state import Family
from dashboard.core.paths.model import Path, PathKind
from dashboard.core.paths.words import describe_path, shorten_path


@pytest.mark.parametrize(
    ("name", "words", "short"),
    [
        ("loopback", "127.0.0.1 → host", "127.0.0.1"),
        ("loopback-ipv6", "[::1] → host", "[::1]"),
        ("bridge-address", "machine → container's address", "container's address"),
        ("bridge-address-ipv6", "machine → container's address, IPv6", "container's address, IPv6"),
        ("published-dnat", "machine's address → published port (DNAT)", "DNAT"),
        ("published-proxy", "127.0.0.1 → published port (docker-proxy)", "docker-proxy"),
        ("published-proxy-ipv6", "[::1] → published port (docker-proxy)", "docker-proxy, IPv6"),
        ("published-rootless", "127.0.0.1 → published port (rootless Podman)", "rootless forwarder"),
        ("bridge-address.2", "machine → container's address, network 2", "container's address, network 2"),
        (
            "bridge-address.3-ipv6",
            "machine → container's address, IPv6, network 3",
            "container's address, IPv6, network 3",
        ),
        ("from-machine-published@lab2", "from machine lab2 → published port", "lab2 → published"),
        ("from-machine-address-ipv6@lab-ipv6", "from machine lab-ipv6 → host, IPv6", "lab-ipv6 → host, IPv6"),
        (
            "from-machine-address@a-long-name-of-a-machine",
            "from machine a-long-name-of-a-machine → host",
            "a-long-name… → host",
        ),
        ("<unknown>", "<unknown>", "<unknown>"),
    ],
)
def test_a_path_is_described_in_words(name: str, words: str, short: str) -> None:
    assert (describe_path(name), shorten_path(name)) == (words, short)


def test_every_kind_has_distinct_words_in_both_families() -> None:
    names = [Path(kind, "", "machine", "web", family).name for kind in PathKind for family in Family]
    for texts in ({describe_path(name) for name in names}, {shorten_path(name) for name in names}):
        assert len(texts) == len(names)
        assert not any("{" in text for text in texts)
    assert max(len(shorten_path(name)) for name in names) <= 28


def test_an_endless_number_of_a_network_is_an_unknown_path() -> None:
    name = f"bridge-address.{'9' * 5000}"
    assert describe_path(name) == name
