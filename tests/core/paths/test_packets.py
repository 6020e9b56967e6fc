"""What the kernel reports about the first packet of a request."""

from __future__ import annotations

import pytest

from dashboard.core.paths.hops import HopStatus
from dashboard.core.paths.packets import (
    EventKind,
    FirstPacket,
    PacketEvent,
    RuleStep,
    choose_packet,
    describe_reason,
    links_hop,
    read_rule_texts,
    rules_hop,
)

IP, ARP = 0x0800, 0x0806


def sent(packet: int, link: str, ethertype: int = IP, length: int = 74) -> PacketEvent:
    return PacketEvent(EventKind.SENT, packet, link, ethertype=ethertype, length=length)


def received(packet: int, link: str) -> PacketEvent:
    return PacketEvent(EventKind.RECEIVED, packet, link)


def dropped(packet: int, reason: str) -> PacketEvent:
    return PacketEvent(EventKind.DROPPED, packet, reason=reason, ethertype=IP)


#: The neighbour asks for the link address first; the kernel reuses the identity of a freed packet for the request.
ARRIVES = (
    sent(1, "eth0", ARP),
    received(1, "neighbour"),
    sent(1, "eth0"),
    received(1, "neighbour"),
    sent(1, "uplink1"),
    received(1, "eth0"),
    sent(1, "docker0"),
    sent(1, "veth5"),
    received(1, "eth0"),
    sent(2, "eth0"),  # the answer
    received(2, "veth5"),
)


def test_the_first_packet_over_ip_is_followed_and_no_other() -> None:
    first = FirstPacket(ARRIVES)
    assert first.links == ("eth0 → neighbour", "uplink1 → eth0", "docker0", "veth5 → eth0")
    assert first.reason == ""
    assert FirstPacket(ARRIVES[:2]).links == (), "only the lookup of a link address was seen"


def test_a_journey_ends_where_the_packet_is_dropped_or_sent_again() -> None:
    events = (*ARRIVES[:6], dropped(2, "NO_SOCKET"), dropped(1, "NETFILTER_DROP"), received(1, "later"))
    assert (FirstPacket(events).links, FirstPacket(events).reason) == (
        ("eth0 → neighbour", "uplink1 → eth0"),
        "NETFILTER_DROP",
    )
    again = (sent(1, "lo"), received(1, "lo"), sent(1, "lo", length=66), dropped(1, "NO_SOCKET"))
    assert (FirstPacket(again).links, FirstPacket(again).reason) == (("lo → lo",), "")


def test_links_of_two_namespaces_may_have_one_name() -> None:
    """A container's eth0, then that of its host."""
    events = (sent(1, "eth0"), received(1, "veth5"), sent(1, "eth0"), received(1, "lan1"), dropped(1, "NO_SOCKET"))
    assert (FirstPacket(events).links, FirstPacket(events).reason) == (("eth0 → veth5", "eth0 → lan1"), "NO_SOCKET")


@pytest.mark.parametrize(
    ("reason", "text"), [("IP_RPFILTER", "IP_RPFILTER: the reverse"), ("SOMETHING_NEW", "SOMETHING_NEW")]
)
def test_a_reason_has_the_kernels_name_and_an_explanation(reason: str, text: str) -> None:
    assert describe_reason(reason).startswith(text)


RULESET = """
table ip filter { # handle 1
\tchain FORWARD { # handle 2
\t\ttype filter hook forward priority filter; policy drop;
\t\tcounter packets 3 bytes 180 jump DOCKER-USER # handle 9
\t}
\tchain DOCKER-USER { # handle 4
\t\tiifname "eth0" counter packets 3 bytes 180 drop # handle 12
\t}
}
table ip6 filter { # handle 5
\tchain FORWARD { # handle 2
\t\tcounter packets 1 bytes 60 drop # handle 9
\t}
}
table inet own { # handle 7
\tchain in { # handle 1
\t\ttcp dport 80 counter packets 1 bytes 60 reject # handle 2
\t}
}
""".splitlines()
SAVED = """
*filter
:FORWARD DROP [0:0]
[3:180] -A FORWARD -j DOCKER-USER
-A DOCKER-USER -i eth0 -j DROP
COMMIT
""".splitlines()


def test_rules_of_iptables_have_their_own_text_and_others_that_of_nft() -> None:
    assert read_rule_texts(RULESET, SAVED, "ip") == {
        ("filter", "FORWARD", 9): "-A FORWARD -j DOCKER-USER",
        ("filter", "DOCKER-USER", 12): "-A DOCKER-USER -i eth0 -j DROP",
        ("own", "in", 2): "tcp dport 80 reject",
    }
    assert read_rule_texts(RULESET, [], "ip6")["filter", "FORWARD", 9] == "drop"


def test_the_steps_name_rules_and_policies_and_the_one_that_dropped_the_packet() -> None:
    steps = (
        RuleStep(5, "filter", "FORWARD", 9, "jump DOCKER-USER", "192.0.2.10:50", "new"),
        RuleStep(5, "filter", "DOCKER-USER", 12, "drop"),
    )
    first = FirstPacket((), steps, read_rule_texts(RULESET, SAVED, "ip"))
    assert first.steps == (
        "rule “-A FORWARD -j DOCKER-USER” (table filter): jump DOCKER-USER",
        "rule “-A DOCKER-USER -i eth0 -j DROP” (table filter): drop",
    )
    assert first.dropping_rule == "rule “-A DOCKER-USER -i eth0 -j DROP” (table filter)"
    assert rules_hop(first).reason == "Connection tracking: new"
    policy = FirstPacket((), (RuleStep(5, "filter", "FORWARD", 0, "drop"),))
    assert policy.dropping_rule == "policy of the chain FORWARD (table filter)"
    unknown = FirstPacket((), (RuleStep(5, "own", "in", 3, "drop"),))
    assert unknown.dropping_rule == "rule “rule with handle 3” (table own, chain in)"


def test_the_packet_of_the_own_connection_is_chosen_among_several() -> None:
    mine, other = RuleStep(5, "nat", "OUTPUT", 0, "accept", "a:1"), RuleStep(6, "nat", "OUTPUT", 0, "accept", "b:2")
    rest = RuleStep(5, "filter", "INPUT", 0, "accept")
    assert choose_packet((other, mine, rest), "a:1") == (mine, rest)
    assert choose_packet((other, mine, rest), "absent:3") == ()
    assert choose_packet((rest,), "") == ()


def test_a_hop_that_was_not_seen_has_a_reason() -> None:
    refused = FirstPacket(links_error="no tracepoints", rules_error="no nft")
    assert (links_hop(refused).seen, links_hop(refused).reason) == (HopStatus.UNKNOWN, "no tracepoints")
    assert (rules_hop(refused).seen, rules_hop(refused).reason) == (HopStatus.UNKNOWN, "no nft")
    assert links_hop(FirstPacket()).reason == "the kernel reported no packet"
    assert rules_hop(FirstPacket()).seen is HopStatus.NOT_SEEN
    hop = links_hop(FirstPacket((sent(1, "eth0"), dropped(1, "NO_SOCKET"))))
    assert (hop.evidence, hop.reason) == (
        ("eth0",),
        "The kernel dropped it. NO_SOCKET: no program listens on the port",
    )
