"""Recorded listings of rules from engines, and how the rules affect requests.

``tests/recorded/firewall`` has what iptables-save and ip6tables-save printed on Docker 26.1 and 28.5 with several
options, and what nft printed for rules of the shapes that Docker 29 sets (moby, integration/network/bridge/
nftablesdoc).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dashboard.core.namespaces.addresses import format_endpoint
from dashboard.core.namespaces.firewall_listings import Listing, Listings, read_listings
from dashboard.core.namespaces.state import Family, FirewallRules, Translation, UnreadRules

RECORDED = Path(__file__).resolve().parents[2] / "recorded" / "firewall"
NO_NFT = Listing(error="nft is not installed")
EMPTY_NFT = Listing('{"nftables": [{"metainfo": {"version": "1.1.3"}}]}')


def listing(name: str) -> Listing:
    return Listing((RECORDED / name).read_text())


def docker(name: str, *bridges: str) -> FirewallRules:
    saved = {Family.INET: (listing(f"{name}.iptables"),), Family.INET6: (listing(f"{name}.ip6tables"),)}
    return read_listings(Listings(saved, NO_NFT), dict.fromkeys(Family, bridges))


def native(name: str, *bridges: str) -> FirewallRules:
    saved = dict.fromkeys(Family, (Listing(),))
    return read_listings(Listings(saved, listing(name), needs_nft=True), dict.fromkeys(Family, bridges))


def describe(rule: Translation) -> str:
    """A translation as text, such as ``8080 → 172.17.0.2:80 except 127.0.0.0/8``."""
    where = f" at {rule.address}" if rule.address else ""
    apart = f" except {' '.join(rule.excluded)}" if rule.excluded else ""
    protocol = "" if rule.protocol == "tcp" else f"{rule.protocol} "
    return f"{protocol}{rule.port} → {format_endpoint(rule.to_address, rule.to_port)}{where}{apart}{rule.condition}"


LOOPBACK, LOOPBACK6, LINK_LOCAL = " except 127.0.0.0/8", " except ::1/128", " except fe80::/10"
NOT_LOCAL6 = " except ::1/128 fe80::/10"
INET = {
    f"8080 → 172.17.0.2:80{LOOPBACK}",
    f"8081 → 172.18.0.2:80{LOOPBACK}",
    "8083 → 172.18.0.3:80 at 192.0.2.2",
    f"udp 9000 → 172.18.0.3:9000{LOOPBACK}",
}
INET_WITH_LOOPBACK = {
    "8080 → 172.17.0.2:80",
    "8081 → 172.18.0.2:80",
    "8082 → 172.18.0.3:80 at 127.0.0.1",
    "8083 → 172.18.0.3:80 at 192.0.2.2",
    "udp 9000 → 172.18.0.3:9000",
}
USER_INET6 = {f"8081 → [fd00:99::2]:80{NOT_LOCAL6}", f"udp 9000 → [fd00:99::3]:9000{NOT_LOCAL6}"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("docker-26.1-default", INET),
        ("docker-26.1-icc", INET),
        ("docker-26.1-noproxy", INET_WITH_LOOPBACK),
        (
            "docker-26.1-ipv6",
            INET
            | {
                f"8080 → [fd00:17::242:ac11:2]:80{LOOPBACK6}",
                f"8081 → [fd00:99::2]:80{LOOPBACK6}",
                f"udp 9000 → [fd00:99::3]:9000{LOOPBACK6}",
            },
        ),
        ("docker-28.5-default", INET | USER_INET6),
        ("docker-28.5-icc", INET | USER_INET6),
        ("docker-28.5-nat-unprotected", INET | USER_INET6),
        (
            "docker-28.5-noproxy",
            INET_WITH_LOOPBACK | {f"8081 → [fd00:99::2]:80{LINK_LOCAL}", f"udp 9000 → [fd00:99::3]:9000{LINK_LOCAL}"},
        ),
        (
            "docker-28.5-ipv6-noproxy",
            INET_WITH_LOOPBACK
            | {
                f"8080 → [fd00:17::2]:80{LINK_LOCAL}",
                f"8081 → [fd00:99::2]:80{LINK_LOCAL}",
                f"udp 9000 → [fd00:99::3]:9000{LINK_LOCAL}",
            },
        ),
        ("docker-28.5-routed", {f"8080 → 172.17.0.2:80{LOOPBACK}"}),
    ],
)
def test_the_translations_of_an_engine_are_read(name: str, expected: set[str]) -> None:
    rules = docker(name)
    assert set(map(describe, rules.translations)) == expected
    assert rules.unread == ()


def test_the_translations_of_the_native_backend_are_read() -> None:
    assert set(map(describe, native("nftables.json").translations)) == {
        f"8080 → 172.17.0.2:80{LOOPBACK}",
        "8083 → 172.18.0.2:80 at 192.0.2.2",
        f"udp 9000 → 172.18.0.2:9000{LOOPBACK}",
        f"8081 → [fd00:99::2]:80{NOT_LOCAL6}",
    }
    assert set(map(describe, native("nftables-noproxy.json").translations)) == {
        "8080 → 172.17.0.2:80",
        "8082 → 172.18.0.2:80 at 127.0.0.1",
        "8083 → 172.18.0.2:80 at 192.0.2.2",
        "udp 9000 → 172.18.0.2:9000",
        f"8081 → [fd00:99::2]:80{LINK_LOCAL}",
    }


def test_engine_28_drops_what_arrives_for_a_container_unless_the_gateway_mode_permits_it() -> None:
    drops = {(one.address, one.interfaces) for one in docker("docker-28.5-default").direct_drops}
    bridge = ("br-016ac586fa09",)
    default, user = {f"172.17.0.{end}" for end in (2, 3)}, {f"172.18.0.{end}" for end in (2, 3)}
    assert drops == {
        *((address, ("docker0",)) for address in default),
        *((address, bridge) for address in (*user, "fd00:99::2", "fd00:99::3")),
    }
    assert docker("docker-26.1-default").direct_drops == ()
    unprotected = docker("docker-28.5-nat-unprotected").direct_drops
    assert {one.address for one in unprotected if one.family is Family.INET} == default


def test_the_bridges_of_an_engine_are_closed_unless_the_gateway_mode_opens_them() -> None:
    def closed(rules: FirewallRules) -> set[str]:
        return {one.name for one in rules.closed_bridges if one.family is Family.INET}

    assert closed(docker("docker-26.1-default")) == {"docker0", "br-efafd449b695"}
    assert closed(docker("docker-28.5-default")) == {"docker0", "br-016ac586fa09"}
    assert closed(docker("docker-28.5-nat-unprotected")) == {"docker0"}
    assert closed(docker("docker-28.5-routed")) == {"docker0", "br-f65032ce7886"}
    assert closed(native("nftables.json")) == {"docker0", "br1"}


@pytest.mark.parametrize("version", ["26.1", "28.5"])
def test_icc_false_isolates_the_default_bridge(version: str) -> None:
    rules = docker(f"docker-{version}-icc", "docker0", "br-other")
    assert rules.isolates("docker0", Family.INET)
    assert not docker(f"docker-{version}-default", "docker0").isolates("docker0", Family.INET)


def test_an_isolated_bridge_of_the_native_backend_is_found_through_its_map() -> None:
    rules = native("nftables.json", "docker0", "br1")
    assert [(one.family, one.name) for one in rules.isolated_bridges] == [(Family.INET, "br1")]


def test_a_bridge_that_the_filter_does_not_see_is_not_isolated() -> None:
    saved = {Family.INET: (listing("docker-26.1-icc.iptables"),)}
    assert read_listings(Listings(saved, NO_NFT), {}).isolated_bridges == ()


def test_a_limit_on_new_connections_neither_isolates_nor_closes_a_bridge() -> None:
    """``chain forward { type filter hook forward priority 0; ct state new limit rate over 500/second drop }``"""
    chain = {"family": "inet", "table": "filter", "name": "forward", "type": "filter", "hook": "forward", "prio": 0}
    new = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "new"}}
    limit = {"limit": {"rate": 500, "burst": 50, "per": "second", "inv": True}}
    rule = {"family": "inet", "table": "filter", "chain": "forward", "expr": [new, limit, {"drop": None}]}
    saved = {Family.INET: (listing("docker-26.1-default.iptables"),)}
    nft = Listing(json.dumps({"nftables": [{"chain": chain}, {"rule": rule}]}))
    alone, limited = (
        read_listings(Listings(saved, one), dict.fromkeys(Family, ("docker0",))) for one in (EMPTY_NFT, nft)
    )
    assert limited == alone
    assert limited.isolated_bridges == ()


def test_without_a_tool_the_reason_is_stated_and_nothing_is_concluded() -> None:
    missing = Listing(error="iptables-save is not installed")
    rules = read_listings(Listings(dict.fromkeys(Family, (missing,)), NO_NFT), dict.fromkeys(Family, ("docker0",)))
    assert rules == FirewallRules(unread=tuple(UnreadRules(family, missing.error) for family in Family))
    assert rules.why_unread(Family.INET) == "iptables-save is not installed"


def test_one_family_may_be_unread() -> None:
    missing = Listing(error="ip6tables-save: Permission denied")
    saved = {Family.INET: (listing("docker-28.5-default.iptables"),), Family.INET6: (missing,)}
    rules = read_listings(Listings(saved, NO_NFT), {})
    assert (rules.why_unread(Family.INET), rules.why_unread(Family.INET6)) == ("", missing.error)
    assert set(map(describe, rules.translations)) == INET


def test_nft_alone_shows_all_rules_unless_some_are_of_iptables() -> None:
    missing = dict.fromkeys(Family, (Listing(error="iptables-save is not installed"),))
    assert read_listings(Listings(missing, EMPTY_NFT), {}).unread == ()
    of_iptables = Listing(
        '{"nftables": [{"rule": {"family": "ip", "table": "nat", "chain": "DOCKER", '
        '"expr": [{"xt": {"type": "target", "name": "DNAT"}}]}}]}'
    )
    rules = read_listings(Listings(missing, of_iptables), {})
    assert rules.unread == (UnreadRules(Family.INET, "iptables-save is not installed"),)


@pytest.mark.parametrize("nft", [NO_NFT, Listing("nonsense"), Listing('{"nftables": 3}'), Listing("{")])
def test_an_engine_with_the_native_backend_needs_nft(nft: Listing) -> None:
    rules = read_listings(Listings(dict.fromkeys(Family, (Listing(),)), nft, needs_nft=True), {})
    assert [one.family for one in rules.unread] == list(Family)


def test_rules_of_iptables_are_not_read_twice() -> None:
    table = '{"nftables": [{"rule": {"family": "ip", "table": "nat", "chain": "DOCKER", "expr": []}}]}'
    saved = {Family.INET: (listing("docker-26.1-default.iptables"),)}
    assert set(map(describe, read_listings(Listings(saved, Listing(table)), {}).translations)) == INET


def test_rules_of_iptables_that_were_read_need_no_other_tool() -> None:
    of_iptables = Listing(
        '{"nftables": [{"rule": {"family": "ip", "table": "nat", "chain": "DOCKER", '
        '"expr": [{"xt": {"type": "target", "name": "DNAT"}}]}}]}'
    )
    legacy = Listing(error="iptables-legacy-save: Permission denied")
    saved = {Family.INET: (listing("docker-26.1-default.iptables"), legacy)}
    assert read_listings(Listings(saved, of_iptables), {}).unread == ()
    unread = read_listings(Listings({Family.INET: (legacy,)}, of_iptables), {}).unread
    assert unread == (UnreadRules(Family.INET, legacy.error),)
