"""What dropped packets between two listings, from both backends."""

from __future__ import annotations

import pytest

from dashboard.core.paths.drops import Drop, describe_drops, read_drops

IPTABLES = """*raw
:PREROUTING ACCEPT [10:600]
[{raw}:60] -A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP
COMMIT
*filter
:INPUT ACCEPT [10:600]
:FORWARD DROP [{policy}:240]
[{user}:60] -A DOCKER-USER -i eth0 -j DROP
[{accept}:60] -A DOCKER -d 172.17.0.2/32 -p tcp --dport 80 -j ACCEPT
[{reject}:60] -A INPUT -p tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable
COMMIT"""

NFT = """table ip docker-bridges {{
\tchain filter-FORWARD {{
\t\ttype filter hook forward priority filter; policy accept;
\t\toifname "docker0" counter packets {drop} bytes 60 drop
\t\tcounter packets {unpublished} bytes 60 drop comment "UNPUBLISHED PORT DROP"
\t\tiifname "docker0" counter packets {accept} bytes 60 accept
\t\tiifname "eth0" counter packets {accept} bytes 60 accept comment "never drop"
\t\tcounter packets {reject} bytes 60 reject with icmp type admin-prohibited
\t}}
}}"""


def iptables(**counts: int) -> list[str]:
    return IPTABLES.format(**{"raw": 1, "policy": 4, "user": 1, "accept": 1, "reject": 0} | counts).splitlines()


def nft(**counts: int) -> list[str]:
    return NFT.format(**{"drop": 1, "unpublished": 1, "accept": 1, "reject": 0} | counts).splitlines()


@pytest.mark.parametrize(
    ("after", "drops"),
    [
        (iptables(), ()),
        (iptables(accept=5), ()),
        (iptables(raw=3), (Drop(2, "rule “-A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP” (table raw)"),)),
        (iptables(policy=5), (Drop(1, "policy DROP of the chain FORWARD (table filter)"),)),
        (
            iptables(reject=1),
            (
                Drop(
                    1,
                    "rule “-A INPUT -p tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable” (table filter)",
                ),
            ),
        ),
    ],
)
def test_rules_of_iptables_with_a_higher_counter_dropped_packets(after: list[str], drops: tuple[Drop, ...]) -> None:
    assert read_drops(iptables(), after) == drops


def test_rules_of_nftables_with_a_higher_counter_dropped_packets() -> None:
    where = "(table ip docker-bridges, chain filter-FORWARD)"
    assert read_drops(nft(), nft(drop=2)) == (Drop(1, f'rule “oifname "docker0" counter drop” {where}'),)
    assert read_drops(nft(), nft(unpublished=2)) == (
        Drop(1, f'rule “counter drop comment "UNPUBLISHED PORT DROP"” {where}'),
    )
    assert read_drops(nft(), nft(accept=2)) == ()
    assert read_drops(nft(), nft(reject=2)) == (
        Drop(2, f"rule “counter reject with icmp type admin-prohibited” {where}"),
    )


def test_a_new_rule_counts_from_zero() -> None:
    assert read_drops([], iptables(raw=0, policy=0)) == (
        Drop(1, "rule “-A DOCKER-USER -i eth0 -j DROP” (table filter)"),
    )


def test_equal_rules_are_distinguished() -> None:
    lines = ["*filter", "[1:60] -A FORWARD -j DROP", "[1:60] -A FORWARD -j DROP"]
    after = ["*filter", "[1:60] -A FORWARD -j DROP", "[4:60] -A FORWARD -j DROP"]
    assert read_drops(lines, after) == (Drop(3, "rule “-A FORWARD -j DROP” (table filter)"),)


def test_drops_are_described_in_a_sentence() -> None:
    assert describe_drops(()) == ""
    assert describe_drops((Drop(1, "rule A"), Drop(2, "rule B"))) == (
        "Meanwhile the machine dropped packets, possibly of other connections: rule A (1 packet); rule B (2 packets)."
    )
