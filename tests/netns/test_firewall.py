"""Rules that the tools of this machine set, in either variant of iptables and natively, are read by their meaning."""

from __future__ import annotations

import shutil

import pytest

from dashboard.core.namespaces.state import Family, FirewallRules
from dashboard.core.paths.nat_rules import has_nat_rules, packets_to
from dashboard.netns import firewall
from dashboard.netns.firewall import read_firewall, read_nat_listing
from dashboard.netns.namespace import Namespace
from tests.netns.namespaces import Netns

DNAT = ("-p", "tcp", "--dport", "8080", "-j", "DNAT", "--to-destination")


async def read(netns: Netns, backend: str = "iptables", *bridges: str) -> FirewallRules:
    with Namespace.of_pid(netns.pid) as namespace:
        return await read_firewall(namespace, backend, bridges)


def describe(rules: FirewallRules) -> list[str]:
    assert rules.unread == ()
    return [
        f"{one.port} → {one.to_address} {one.to_port} {' '.join(one.excluded)}".strip() for one in rules.translations
    ]


async def test_a_namespace_without_rules_translates_nothing(netns: Netns) -> None:
    assert await read(netns) == FirewallRules()
    assert await read(netns, "nftables") == FirewallRules()


@pytest.mark.parametrize("variant", ["iptables-nft", "iptables-legacy"])
async def test_both_variants_of_iptables_are_read(netns: Netns, variant: str) -> None:
    netns.run(variant, "-t", "nat", "-N", "ANY-NAME")
    netns.run(variant, "-t", "nat", "-A", "OUTPUT", "!", "-d", "127.0.0.0/8", "-j", "ANY-NAME")
    netns.run(variant, "-t", "nat", "-A", "ANY-NAME", *DNAT, "172.17.0.2:80")
    netns.run(variant.replace("ip", "ip6"), "-t", "nat", "-A", "OUTPUT", *DNAT, "[fd00::2]:80")
    assert describe(await read(netns)) == ["8080 → 172.17.0.2 80 127.0.0.0/8", "8080 → fd00::2 80"]


@pytest.mark.parametrize("variant", ["iptables-nft", "iptables-legacy"])
async def test_the_nat_listing_is_that_of_the_variant_that_has_rules(netns: Netns, variant: str) -> None:
    netns.run(variant, "-t", "nat", "-A", "OUTPUT", *DNAT, "172.17.0.2:80")
    with Namespace.of_pid(netns.pid) as namespace:
        listing = await read_nat_listing(namespace, "iptables")
        other = await read_nat_listing(namespace, "iptables", ipv6=True)
    assert packets_to(listing.text.splitlines(), 8080) == 0
    assert has_nat_rules(listing.text.splitlines())
    assert (other.error, has_nat_rules(other.text.splitlines())) == ("", False)


async def test_native_rules_are_read_beside_those_of_iptables(netns: Netns) -> None:
    netns.run("iptables-nft", "-t", "nat", "-A", "OUTPUT", *DNAT, "172.17.0.2:80")
    native = "add chain ip mine out { type nat hook output priority -100; }"
    netns.run("nft", f"add table ip mine; {native}; add rule ip mine out tcp dport 9090 dnat to 10.0.0.1:90")
    assert describe(await read(netns)) == ["8080 → 172.17.0.2 80", "9090 → 10.0.0.1 90"]
    assert describe(await read(netns, "nftables+firewalld")) == ["8080 → 172.17.0.2 80", "9090 → 10.0.0.1 90"]


async def test_an_isolated_bridge_is_one_whose_packets_pass_the_filter(netns: Netns) -> None:
    netns.run("iptables-nft", "-A", "FORWARD", "-i", "br0", "-o", "br0", "-j", "DROP")
    assert (await read(netns, "iptables", "br0", "br1")).isolates("br0", Family.INET)
    netns.run("sh", "-c", "echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables")
    assert (await read(netns, "iptables", "br0", "br1")).isolated_bridges == ()


async def test_without_tools_the_reason_is_stated(netns: Netns, monkeypatch: pytest.MonkeyPatch) -> None:
    netns.run("iptables-nft", "-t", "nat", "-A", "OUTPUT", *DNAT, "172.17.0.2:80")
    monkeypatch.setattr(firewall, "SEARCH_PATH", "/nowhere")
    rules = await read(netns)
    assert rules.translations == ()
    assert rules.why_unread(Family.INET) == "iptables-save is not installed"


async def test_without_nft_the_rules_of_an_engine_that_names_no_backend_are_unread(
    netns: Netns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Podman's netavark writes with nftables or with iptables."""
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **options: None if name == "nft" else which(name, **options))
    assert (await read(netns, "iptables")).why_unread(Family.INET) == ""
    assert (await read(netns, "")).why_unread(Family.INET) == "nft is not installed"


async def test_a_listing_that_is_too_long_is_not_read_in_part(netns: Netns, monkeypatch: pytest.MonkeyPatch) -> None:
    netns.run("iptables-nft", "-t", "nat", "-A", "OUTPUT", *DNAT, "172.17.0.2:80")
    monkeypatch.setattr(firewall, "MAX_LISTING_BYTES", 300)
    rules = await read(netns)
    assert rules.translations == ()
    assert "[cut after 300 bytes]" in rules.why_unread(Family.INET)


async def test_a_namespace_that_is_gone_has_unread_rules(netns: Netns) -> None:
    namespace = Namespace.of_pid(netns.pid)
    namespace.close()
    rules = await read_firewall(namespace, "iptables", ())
    assert [one.family for one in rules.unread] == list(Family)
