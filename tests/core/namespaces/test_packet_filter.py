"""Following rules through their chains."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dashboard.core.namespaces import packet_filter
from dashboard.core.namespaces.iptables import read_iptables
from dashboard.core.namespaces.packet_filter import read_rules
from dashboard.core.namespaces.packet_rules import Chain, Rule, Table
from dashboard.core.namespaces.state import Family, FirewallRules, Protocol

NAT = "*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:A - [0:0]\n:B - [0:0]\n"
FILTER = "*filter\n:FORWARD ACCEPT [0:0]\n:A - [0:0]\n:B - [0:0]\n"
TO = "-p tcp -m tcp --dport 80 -j DNAT --to-destination"


def tables_of(head: str, *rules: str) -> list[Table]:
    return list(read_iptables("\n".join((head, *rules)), Family.INET).values())


def translations(*rules: str) -> list[str]:
    """The translations of the rules as text, such as ``80 → 10.0.0.1``, with address, exceptions and condition."""
    read = read_rules(tables_of(NAT, *rules), {})
    return [
        " ".join(filter(None, (f"{one.port} → {one.to_address}", one.address, *one.excluded, one.condition)))
        for one in read.translations
    ]


def isolates(*rules: str, head: str = FILTER) -> bool:
    read = read_rules(tables_of(head, *rules), {Family.INET: ["br0"]})
    return read.isolates("br0", Family.INET)


RAW = "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"


def drops(*rules: str, head: str = RAW) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.address, one.interfaces) for one in read_rules(tables_of(head, *rules), {}).direct_drops]


def test_packets_that_arrive_on_another_link_than_the_bridge_are_dropped() -> None:
    assert drops("-A PREROUTING -d 172.18.0.2/32 ! -i br-1 -j DROP") == [("172.18.0.2", ("br-1",))]
    accepted = "-A PREROUTING -d 172.18.0.2/32 -i eth1 -j ACCEPT"
    dropped = "-A PREROUTING -d 172.18.0.2/32 ! -i br-1 -j DROP"
    other = "-A PREROUTING -d 172.18.0.3/32 ! -i br-1 -j DROP"
    assert drops(accepted, dropped, other) == [("172.18.0.2", ("br-1", "eth1")), ("172.18.0.3", ("br-1",))]
    assert drops(dropped, accepted) == [("172.18.0.2", ("br-1",))], "the first rule that applies decides"
    everything = "-A PREROUTING -i eth2 -j ACCEPT"
    assert drops(everything, dropped) == [("172.18.0.2", ("br-1", "eth2"))]


@pytest.mark.parametrize(
    "rule",
    [
        "-A PREROUTING -d 127.0.0.1/32 ! -i lo -p tcp -m tcp --dport 8080 -j DROP",
        "-A PREROUTING -d 172.18.0.0/16 ! -i br-1 -j DROP",
        "-A PREROUTING -d 172.18.0.2/32 ! -i br-1 -m owner --uid-owner 0 -j DROP",
        "-A PREROUTING -d 172.18.0.2/32 -i eth0 -j DROP",
        "-A OUTPUT -d 172.18.0.2/32 -j DROP",
    ],
)
def test_other_rules_drop_no_arrival(rule: str) -> None:
    assert drops(rule) == []


@pytest.mark.parametrize(
    "rule",
    [
        "-d 172.18.0.0/16 -i eth1 -j ACCEPT",
        "-d 172.18.0.0/16 -j ACCEPT",
        "-s 192.0.2.0/24 -j ACCEPT",
        "-d 172.18.0.2/32 -i eth1 -p tcp -m tcp --dport 80 -j ACCEPT",
        "-d 172.18.0.2/32 ! -i eth2 -j ACCEPT",
        "-m mark --mark 0x1 -j RETURN",
        "-i eth1 -j A",
    ],
)
def test_nothing_is_said_to_be_dropped_if_an_earlier_rule_may_accept_what_arrives(rule: str) -> None:
    dropped = "-A PREROUTING -d 172.18.0.2/32 ! -i br-1 -j DROP"
    chain = ("-A A -j ACCEPT", f"-A PREROUTING {rule}")
    assert drops(*chain, dropped, head=f"{RAW}:A - [0:0]\n") == []


@pytest.mark.parametrize(
    "rule",
    [
        "-d 172.19.0.0/16 -i eth1 -j ACCEPT",
        "-p udp -j ACCEPT",
        "-m conntrack --ctstate ESTABLISHED -j ACCEPT",
        "-m mark --mark 0x1 -j DROP",
        "-i eth1 -j A",
    ],
)
def test_rules_for_other_packets_leave_a_drop_as_it_is(rule: str) -> None:
    dropped = "-A PREROUTING -d 172.18.0.2/32 ! -i br-1 -j DROP"
    listed = ("-A A -j RETURN", f"-A PREROUTING {rule}", dropped)
    assert drops(*listed, head=f"{RAW}:A - [0:0]\n") == [("172.18.0.2", ("br-1",))]


def test_only_rules_that_own_packets_reach_count() -> None:
    assert translations(f"-A PREROUTING {TO} 10.0.0.1") == []
    assert translations(f"-A A {TO} 10.0.0.1") == [], "no chain jumps there"
    assert translations(f"-A OUTPUT {TO} 10.0.0.1") == ["80 → 10.0.0.1"]
    assert translations("-A OUTPUT -j A", "-A A -j B", f"-A B {TO} 10.0.0.1") == ["80 → 10.0.0.1"]


def test_an_own_packet_comes_from_no_interface_and_leaves_through_loopback() -> None:
    assert translations(f"-A OUTPUT -i br0 {TO} 10.0.0.1") == []
    assert translations(f"-A OUTPUT -o br0 {TO} 10.0.0.1") == []
    assert translations(f"-A OUTPUT ! -i br0 ! -o br0 {TO} 10.0.0.1") == ["80 → 10.0.0.1"]
    assert translations("-A OUTPUT -i br0 -j RETURN", f"-A OUTPUT {TO} 10.0.0.1") == ["80 → 10.0.0.1"]


def test_the_conditions_of_a_jump_hold_in_its_chain() -> None:
    assert translations("-A OUTPUT ! -d 127.0.0.0/8 -j A", f"-A A {TO} 10.0.0.1") == ["80 → 10.0.0.1 127.0.0.0/8"]
    assert translations("-A OUTPUT -d 192.0.2.0/24 -j A", f"-A A -d 192.0.2.2 {TO} 10.0.0.1") == [
        "80 → 10.0.0.1 192.0.2.2"
    ]
    assert translations("-A OUTPUT ! -d 127.0.0.0/8 -j A", f"-A A -d 127.0.0.1/32 {TO} 10.0.0.1") == []
    assert translations("-A OUTPUT -p udp -j A", f"-A A {TO} 10.0.0.1") == []
    assert translations("-A OUTPUT -p tcp -m tcp --dport 80 -j A", "-A A -j DNAT --to-destination 10.0.0.1") == [
        "80 → 10.0.0.1"
    ]


def test_the_first_rule_that_applies_decides() -> None:
    assert translations(f"-A OUTPUT {TO} 10.0.0.1", f"-A OUTPUT {TO} 10.0.0.2") == ["80 → 10.0.0.1"]
    assert translations(f"-A OUTPUT -d 192.0.2.2 {TO} 10.0.0.1", f"-A OUTPUT {TO} 10.0.0.2") == [
        "80 → 10.0.0.1 192.0.2.2",
        "80 → 10.0.0.2 192.0.2.2/32",
    ]


@pytest.mark.parametrize("verdict", ["RETURN", "ACCEPT"])
def test_an_exception_before_a_rule_belongs_to_the_rule(verdict: str) -> None:
    assert translations(f"-A OUTPUT -d 192.0.2.2 -j {verdict}", f"-A OUTPUT {TO} 10.0.0.1") == [
        "80 → 10.0.0.1 192.0.2.2/32"
    ]
    assert translations(f"-A OUTPUT ! -d 192.0.2.2 -j {verdict}", f"-A OUTPUT {TO} 10.0.0.1") == [
        "80 → 10.0.0.1 192.0.2.2"
    ]
    assert translations(f"-A OUTPUT -j {verdict}", f"-A OUTPUT {TO} 10.0.0.1") == []


def test_a_packet_that_returns_continues_in_the_calling_chain() -> None:
    jump = ("-A OUTPUT -j A", "-A A -j RETURN", f"-A OUTPUT {TO} 10.0.0.1")
    assert translations(*jump) == ["80 → 10.0.0.1"]
    assert translations("-A OUTPUT -g A", "-A A -j RETURN", f"-A OUTPUT {TO} 10.0.0.1") == []
    assert translations("-A OUTPUT -j A", "-A A -j ACCEPT", f"-A OUTPUT {TO} 10.0.0.1") == []


def test_a_condition_that_is_not_evaluated_stays_with_the_rule() -> None:
    owner = "-m owner --uid-owner 0"
    assert translations(f"-A OUTPUT {owner} {TO} 10.0.0.1", f"-A OUTPUT {TO} 10.0.0.2") == [
        f"80 → 10.0.0.1 {owner}",
        f"80 → 10.0.0.2 not ({owner})",
    ]
    assert translations(f"-A OUTPUT {owner} -j RETURN", f"-A OUTPUT {TO} 10.0.0.1") == [f"80 → 10.0.0.1 not ({owner})"]


OWNER = "-m owner --uid-owner 0"


@pytest.mark.parametrize(
    ("rules", "first"),
    [
        ((f"-A OUTPUT {OWNER} -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 81",), [f"80 → 127.0.0.1 {OWNER}"]),
        ((f"-A OUTPUT {OWNER} -j A", f"-A A {TO} 10.0.0.1"), [f"80 → 10.0.0.1 {OWNER}"]),
        ((f"-A OUTPUT {OWNER} -g A", "-A A -j RETURN"), []),
        ((f"-A OUTPUT {OWNER} -j A", "-A A -j ACCEPT"), []),
        (("-A OUTPUT -j A", f"-A A {OWNER} -j ACCEPT"), []),
        (("-A OUTPUT -j A", f"-A A {OWNER} {TO} 10.0.0.1"), [f"80 → 10.0.0.1 {OWNER}"]),
    ],
)
def test_rules_after_a_conditional_end_have_the_opposite_condition(rules: tuple[str, ...], first: list[str]) -> None:
    expected = sorted([*first, f"80 → 10.0.0.2 not ({OWNER})"])
    assert translations(*rules, f"-A OUTPUT {TO} 10.0.0.2") == expected


def test_a_condition_counts_only_for_the_destinations_of_its_rule() -> None:
    assert translations(f"-A OUTPUT -d 192.0.2.2 {OWNER} -j RETURN", f"-A OUTPUT {TO} 10.0.0.1") == [
        "80 → 10.0.0.1 192.0.2.2/32",
        f"80 → 10.0.0.1 192.0.2.2 not ({OWNER})",
    ]


def test_a_conditional_jump_that_only_returns_decides_nothing() -> None:
    mark = (f"-A OUTPUT {OWNER} -j A", "-A A -j MARK --set-xmark 0x1")
    assert translations(*mark, f"-A OUTPUT {TO} 10.0.0.1") == ["80 → 10.0.0.1"]
    both = ("-A OUTPUT -j A", f"-A A {OWNER} -j RETURN", "-A A -j MARK --set-xmark 0x1")
    assert translations(*both, f"-A OUTPUT {TO} 10.0.0.1") == ["80 → 10.0.0.1"]
    part = (f"-A OUTPUT {OWNER} -j A", "-A A -d 192.0.2.2 -j ACCEPT")
    assert translations(*part, f"-A OUTPUT {TO} 10.0.0.1") == [
        f"80 → 10.0.0.1 not ({OWNER})",
        f"80 → 10.0.0.1 192.0.2.2/32 {OWNER}",
    ]


def test_chains_that_jump_to_each_other_end() -> None:
    assert translations("-A OUTPUT -j A", "-A A -j B", "-A B -j A", f"-A B {TO} 10.0.0.1") == []


def test_a_rule_that_drops_what_a_bridge_passes_isolates_it() -> None:
    assert isolates("-A FORWARD -i br0 -o br0 -j DROP")
    assert isolates("-A FORWARD -j A", "-A A -i br0 -j REJECT")
    assert isolates("", head=FILTER.replace(":FORWARD ACCEPT", ":FORWARD DROP"))
    assert not isolates("-A FORWARD -i br0 ! -o br0 -j DROP")
    assert not isolates("-A FORWARD -p udp -j DROP")
    assert not isolates("-A FORWARD -m conntrack --ctstate ESTABLISHED -j DROP")
    assert not isolates("-A A -j DROP")


def test_packets_that_an_earlier_rule_accepts_are_not_dropped() -> None:
    drop = "-A FORWARD -i br0 -o br0 -j DROP"
    assert not isolates("-A FORWARD -i br0 -j ACCEPT", drop)
    assert not isolates("-A FORWARD -j A", "-A A -d 172.17.0.2 -j ACCEPT", drop), "it is not known which containers"
    assert isolates("-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT", drop)
    assert isolates("-A FORWARD -j A", "-A A -j RETURN", "-A A -j ACCEPT", drop)
    assert isolates("-A FORWARD -d 172.17.0.2 -j DROP", drop)


def closed(*rules: str, head: str = FILTER, link: str = "") -> list[str]:
    """The bridges that are closed to ``link``, which must be named as a rule names it; empty stands for every link that
    no rule names."""
    found = read_rules(tables_of(head, *rules), {}).closed_bridges
    return [one.name for one in found if link not in one.open_from]


PUBLISHED = "-A FORWARD -d 172.17.0.2/32 ! -i br0 -o br0 -p tcp -m tcp --dport 80 -j ACCEPT"
CLOSED = "-A FORWARD ! -i br0 -o br0 -j DROP"


def test_a_bridge_is_closed_where_ports_that_no_rule_names_are_dropped() -> None:
    assert closed(PUBLISHED, CLOSED) == ["br0"]
    assert closed(PUBLISHED, "-A FORWARD -o br0 -j ACCEPT") == []
    assert closed("-A FORWARD -o br0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", CLOSED) == ["br0"]
    dropping = FILTER.replace("FORWARD ACCEPT", "FORWARD DROP")
    published = PUBLISHED.removeprefix("-A FORWARD")
    assert closed("-A FORWARD -o br0 -j A", f"-A A {published}", head=dropping) == ["br0"]
    assert closed("-A FORWARD -o br0 -j A", "-A A -d 172.17.0.2 -j ACCEPT", head=dropping) == [], "all ports of one"


@pytest.mark.parametrize(
    ("rules", "others"),
    [
        (("-i eth1 -j ACCEPT", "-o eth1 -j ACCEPT"), ["br0"]),
        (("-i eth1 -o br0 -j ACCEPT",), ["br0"]),
        (("-d 172.17.0.0/16 -i eth1 -j ACCEPT",), ["br0"]),
        (("-d 172.17.0.0/16 -j A",), []),
        (("-d 172.17.0.2/32 -i eth1 -p tcp -m tcp --dport 80 -j ACCEPT",), ["br0"]),
        (("-o br0 -p tcp -m tcp --dport 80 -j ACCEPT",), []),
        (("! -i eth1 -j DROP", "-i eth1 -j ACCEPT"), ["br0"]),
        (("-i eth2 -j DROP", "! -i eth3 -j ACCEPT"), []),
    ],
)
def test_a_bridge_is_open_to_the_links_from_which_a_rule_may_accept_requests(
    rules: tuple[str, ...], others: list[str]
) -> None:
    listing = ("-A A -j ACCEPT", *(f"-A FORWARD {rule}" for rule in rules), CLOSED)
    assert closed(*listing, link="eth1") == []
    assert closed(*listing) == others


def test_connections_that_a_chain_may_return_are_judged_by_the_rules_after_it() -> None:
    chain = ("-A FORWARD -j A", "-A A -d 172.17.0.0/16 -j RETURN", "-A A -j DROP")
    assert not isolates(*chain, "-A FORWARD -j ACCEPT")
    assert isolates(*chain, "-A FORWARD -j DROP")


def test_a_port_to_which_a_nat_rule_leads_is_published() -> None:
    accepted = "-A FORWARD -d 172.17.0.2/32 -o br0 -p tcp -m tcp --dport 80 -j ACCEPT"
    assert closed(accepted, CLOSED) == []
    filtered = tables_of(FILTER, accepted, CLOSED)
    published = tables_of(NAT, "-A A -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80")
    assert [one.name for one in read_rules([*filtered, *published], {}).closed_bridges] == ["br0"]


def count_steps(monkeypatch: pytest.MonkeyPatch, head: str, *rules: str) -> int:
    steps, passes = 0, Rule.passes

    def counting(rule: Rule, incoming: str, outgoing: str) -> bool:
        nonlocal steps
        steps += 1
        return passes(rule, incoming, outgoing)

    with monkeypatch.context() as patch:
        patch.setattr(Rule, "passes", counting)
        read_rules(tables_of(head, *rules), {})
    return steps


def test_chains_that_are_reached_in_many_ways_are_followed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = range(8)
    head = f"*filter\n:FORWARD ACCEPT [0:0]\n{''.join(f':C{level} - [0:0]\n' for level in levels)}"
    jumps = [f"-A C{level} -j C{level + 1}" for level in levels[:-1] for _ in range(3)]
    rules = ("-A FORWARD -j C0", *jumps, CLOSED)
    assert count_steps(monkeypatch, head, *rules) <= len(rules)


def test_the_work_for_many_links_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet_filter, "MAX_STEPS", 1000)
    rules = [f"-A FORWARD ! -i br{number} -o br{number} -j DROP" for number in range(100)]
    assert closed(*rules[:5]) == [f"br{number}" for number in range(5)]
    assert count_steps(monkeypatch, FILTER, *rules) <= 1000
    assert len(closed(*rules)) < 100, "what was not followed is not said to be closed"
    accepted = [f"-A PREROUTING -d 172.19.{number}.0/24 -j ACCEPT" for number in range(100)]
    dropped = [f"-A PREROUTING -d 172.18.0.{number}/32 ! -i br-1 -j DROP" for number in range(100)]
    assert len(drops(*accepted, *dropped)) < 10


def test_the_work_for_ports_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet_filter, "MAX_STEPS", 1000)
    nat = "*nat\n:PREROUTING ACCEPT\n-A PREROUTING -p tcp --dport 1:1024 -j DNAT --to-destination 10.0.0.1\nCOMMIT\n"
    accepts = ["-A FORWARD -d 10.0.0.1/32 -o br0 -p tcp -m tcp --dport 1:500 -j ACCEPT"]
    assert closed(*accepts, "-A FORWARD -o br0 -j DROP", head=nat + FILTER) == ["br0"]
    assert closed(*accepts * 10, "-A FORWARD -o br0 -j DROP", head=nat + FILTER) == [], "not followed to the end"


def test_translations_of_many_ports_are_not_followed_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet_filter, "MAX_STEPS", 50)
    followed: list[int] = []
    own_rules = Chain.own_rules

    def counting(chain: Chain, family: Family, protocol: Protocol, port: int) -> Iterator[Rule]:
        followed.append(port)
        return own_rules(chain, family, protocol, port)

    monkeypatch.setattr(Chain, "own_rules", counting)
    returns = ["-A OUTPUT -d 192.0.2.1/32 -j RETURN"] * 10
    translations(*returns, "-A OUTPUT -p tcp -m tcp --dport 1:1000 -j DNAT --to-destination 10.0.0.1")
    assert 0 < len(followed) < 20


def test_a_program_that_reads_a_queue_may_accept_requests() -> None:
    assert closed("-A FORWARD -o br0 -j NFQUEUE --queue-num 0", "-A FORWARD -o br0 -j DROP") == []


def test_without_rules_nothing_is_translated_or_dropped() -> None:
    assert read_rules([], {Family.INET: ["br0"]}) == FirewallRules()
