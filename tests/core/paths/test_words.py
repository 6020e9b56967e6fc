"""Paths in words."""

from __future__ import annotations

import pytest

from dashboard.core.namespaces.state import Family
from dashboard.core.paths.model import Path, PathKind
from dashboard.core.paths.words import cause_between, describe_path, shorten_path
from tests.core.scenes import make_scene, paths_by_key


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


@pytest.mark.parametrize(
    ("baseline", "other", "words"),
    [
        ("host/loopback", "bridge/published-proxy", "docker-proxy copies each byte in user space"),
        ("bridge/published-dnat", "bridge/published-proxy", "docker-proxy copies each byte in user space"),
        ("bridge/published-proxy", "host/loopback", "without docker-proxy:"),
        ("host/loopback", "bridge/bridge-address", "crosses docker0, veth0000021, eth0 into another network stack"),
        ("bridge/bridge-address", "bridge/published-dnat", "each packet's address is translated"),
        ("bridge/published-dnat", "bridge/bridge-address", "the baseline's path is longer: each packet's address"),
        ("host/loopback", "host/loopback-ipv6", ""),
        ("container/shared-namespace", "host/loopback", ""),
    ],
)
def test_a_cause_is_named_if_the_hops_prove_it(baseline: str, other: str, words: str) -> None:
    paths = paths_by_key(*make_scene(("host", "bridge", "container")))
    paths |= paths_by_key(*make_scene(("bridge", "container")))
    paths |= paths_by_key(*make_scene(("host", "bridge")))
    cause = cause_between(paths[baseline], paths[other])
    assert words in cause
    assert bool(words) == bool(cause)


def between(kind: PathKind, *hops: str) -> Path:
    return Path(kind, "", "a", "b", hops=hops)


def test_a_path_between_containers_is_longer_than_one_over_loopback() -> None:
    other = between(PathKind.CONTAINER_TO_CONTAINER, "eth0", "veth1", "br0")
    for kind in (PathKind.LOOPBACK, PathKind.SHARED_NAMESPACE):
        assert "eth0, veth1, br0" in cause_between(between(kind, "lo"), other)
    assert cause_between(between(PathKind.BRIDGE_ADDRESS), other) == ""
    assert cause_between(other, between(PathKind.LOOPBACK)) == ""
    assert cause_between(between(PathKind.SHARED_NAMESPACE), between(PathKind.LOOPBACK)) == ""


def test_from_loopback_to_a_published_port_both_causes_are_named() -> None:
    hops = ("DNAT 192.0.2.2:80", "docker0", "veth1", "eth0")
    cause = cause_between(between(PathKind.LOOPBACK), between(PathKind.PUBLISHED_DNAT, *hops))
    assert "docker0, veth1, eth0" in cause
    assert "DNAT 192" not in cause
    assert "DNAT" in cause
    assert cause_between(between(PathKind.PUBLISHED_DNAT), between(PathKind.PUBLISHED_DNAT)) == ""
    assert cause_between(between(PathKind.PUBLISHED_PROXY), between(PathKind.PUBLISHED_PROXY)) == ""
    back = cause_between(between(PathKind.BRIDGE_ADDRESS, *hops[1:]), between(PathKind.LOOPBACK))
    assert "docker0, veth1, eth0" in back


def test_docker_proxy_is_the_difference_only_if_one_path_has_it() -> None:
    proxied = between(PathKind.HAIRPIN, "eth0", "docker0", "docker-proxy :8080 (user space)")
    translated = between(PathKind.LAN_PUBLISHED, "eth0 (LAN)", "DNAT 192.0.2.2:8080 → 172.17.0.2:80")
    published = between(PathKind.PUBLISHED_PROXY, "lo", "docker-proxy :8080 (user space)")
    assert cause_between(published, proxied) == ""
    assert cause_between(proxied, published) == ""
    assert cause_between(translated, proxied).startswith("docker-proxy copies")
    assert cause_between(published, translated).startswith("without docker-proxy: ")
    rootless = between(PathKind.PUBLISHED_ROOTLESS, "lo", "rootlessport :8080 (user space)")
    assert cause_between(translated, rootless).startswith("rootlessport copies")
    assert cause_between(published, rootless) == ""
