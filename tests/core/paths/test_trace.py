"""The hops that a request took, derived from the evidence."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.namespaces.visibility import MACHINE_TITLE, ROOTLESS_TITLE
from dashboard.core.paths.evidence import PacketCounts, ProcessConnection, Sample, TraceEvidence
from dashboard.core.paths.hops import HopKind, HopStatus
from dashboard.core.paths.model import PathKind, VethLink
from dashboard.core.paths.packets import FirstPacket, RuleStep
from dashboard.core.paths.trace import name_machine_in, read_trace
from tests.core.builders import make_interface
from tests.core.paths.test_nat_rules import IPTABLES, NFT, incremented
from tests.core.paths.traces import (
    BASE,
    BRIDGE_HOPS,
    BRIDGED,
    CLIENT,
    DNAT,
    HOST,
    INSIDE,
    LAN_HOST,
    MASQUERADED,
    MASQUERADED_BY_OTHER_HOST,
    NFT_INCREMENTED,
    PATH,
    PROXY,
    THROUGH_PROXY,
    THROUGH_ROOTLESSPORT,
    VETH,
    entry,
    samples,
)


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (HOST, "client and server share one network stack: no packet passes a bridge"),
        (LAN_HOST, "the machine and server share one network stack: no packet passes a bridge"),
    ],
)
def test_why_no_bridge_is_passed_depends_on_where_the_client_is(evidence: TraceEvidence, reason: str) -> None:
    (bridge,) = [hop for hop in read_trace(PATH, evidence).hops if hop.kind is HopKind.BRIDGE]
    assert (bridge.seen, bridge.reason) == (HopStatus.NOT_SEEN, reason)


def kinds(evidence: TraceEvidence, status: HopStatus = HopStatus.TAKEN) -> set[str]:
    """The kinds of the hops with a status."""
    return {str(hop.kind) for hop in read_trace(PATH, evidence).hops if hop.seen is status}


@pytest.mark.parametrize(
    ("evidence", "taken", "unknown"),
    [
        (DNAT, {"dnat", "conntrack", *BRIDGE_HOPS}, set()),
        (replace(DNAT, entries=None), {"dnat", *BRIDGE_HOPS}, {"conntrack"}),  # by the counter alone
        (
            replace(DNAT, entries=None, **samples(NFT, NFT_INCREMENTED, **BRIDGED)),
            {"dnat", *BRIDGE_HOPS},
            {"conntrack"},
        ),
        (replace(DNAT, rules_error="no tool"), {"dnat", "conntrack", *BRIDGE_HOPS}, set()),  # by the entry alone
        (replace(DNAT, rules_error="no tool", entries=None), BRIDGE_HOPS, {"dnat", "conntrack"}),
        (THROUGH_PROXY, {"loopback", "proxy", "conntrack", *BRIDGE_HOPS}, set()),
        (replace(THROUGH_PROXY, entries=None), {"loopback", "proxy", *BRIDGE_HOPS}, {"conntrack"}),
        # Another request to the published port was translated; this request still has its connection to docker-proxy.
        (replace(THROUGH_PROXY, entries=None, after=DNAT.after), {"proxy", *BRIDGE_HOPS}, {"conntrack"}),
        (HOST, {"loopback"}, {"conntrack"}),
        # From a container of another host, which masquerades it.
        (MASQUERADED_BY_OTHER_HOST, {"conntrack"}, set()),
        (replace(HOST, rules_error="no part of the machine's stack"), {"loopback"}, {"conntrack"}),
        # To the container's own address.
        (
            replace(BASE, target=INSIDE, entries=entry(CLIENT, INSIDE), **samples(**BRIDGED)),
            {"conntrack", *BRIDGE_HOPS},
            set(),
        ),
        # Without docker-proxy 127.0.0.1 is translated both ways (--userland-proxy=false).
        (
            replace(
                THROUGH_PROXY,
                client_connections=(),
                client_seen="172.17.0.1:50",
                entries=MASQUERADED,
                **samples(**BRIDGED),
            ),
            {"dnat", "masquerade", "conntrack", *BRIDGE_HOPS},
            set(),
        ),
        # docker-proxy accepted, and no process listens in the container.
        (replace(THROUGH_PROXY, client_connections=PROXY[:1], entries=()), {"loopback", "proxy", *BRIDGE_HOPS}, set()),
        (THROUGH_ROOTLESSPORT, {"loopback", "proxy"}, {"conntrack"}),
        (replace(THROUGH_ROOTLESSPORT, server_connections=()), {"loopback", "proxy"}, {"conntrack"}),
        # A process other than docker-proxy accepted, and the server saw another client: undecided.
        (
            replace(THROUGH_PROXY, client_connections=(replace(PROXY[0], process="envoy"),), entries=None),
            {"loopback", *BRIDGE_HOPS},
            {"conntrack", "proxy"},
        ),
        # Counters that did not increase, or cannot be read.
        (
            replace(DNAT, after=replace(DNAT.after, client_links=DNAT.before.client_links)),
            {"dnat", "conntrack", "link"},
            set(),
        ),
        # Without an answer a few packets prove nothing; no packets prove that the hop was not taken.
        (replace(DNAT, answer="", error="reset"), {"dnat", "conntrack"}, BRIDGE_HOPS),
        (replace(DNAT, answer="", **samples(docker0=1)), {"conntrack", "dnat"}, {"bridge"}),
        (replace(DNAT, after=Sample(DNAT.after.rules)), {"dnat", "conntrack"}, BRIDGE_HOPS),
    ],
)
def test_a_hop_is_taken_only_if_the_evidence_proves_it(
    evidence: TraceEvidence, taken: set[str], unknown: set[str]
) -> None:
    assert kinds(evidence) == {"client", "server", *taken}
    assert kinds(evidence, HopStatus.UNKNOWN) == {"links", *unknown}, "no first packet was observed"


def test_a_hop_has_its_evidence() -> None:
    hops = {hop.kind: hop for hop in read_trace(PATH, DNAT).hops}
    assert hops[HopKind.DNAT].evidence[1].startswith("+1 packet: [8:480] -A DOCKER ")
    assert hops[HopKind.BRIDGE].evidence == ("docker0: 5 received, 5 sent, during the request",)
    assert hops[HopKind.SERVER].evidence[:2] == (
        "nginx (9) has 172.17.0.2:80 ← 192.0.2.2:50",
        "it sees 192.0.2.2:50 as its client",
    )
    proxied = {hop.kind: hop for hop in read_trace(PATH, THROUGH_PROXY).hops}
    assert proxied[HopKind.PROXY].evidence == (
        "docker-proxy (7) accepted 127.0.0.1:50 at 127.0.0.1:8080",
        "its second connection: 172.17.0.1:60 → 172.17.0.2:80",
    )
    assert len(proxied[HopKind.CONNTRACK].evidence) == 2
    rootless = {hop.kind: hop for hop in read_trace(PATH, THROUGH_ROOTLESSPORT).hops}
    assert rootless[HopKind.PROXY].title == "rootlessport copies between two connections"
    assert rootless[HopKind.PROXY].evidence == (
        "rootlessport (7) accepted 127.0.0.1:50 at 127.0.0.1:8080",
        "its second connection, in the server's namespace: 172.17.0.2:60 → 172.17.0.2:80",
    )
    assert rootless[HopKind.MASQUERADE].reason == "the server saw rootlessport's own endpoint"
    unseen = {hop.kind: hop for hop in read_trace(PATH, replace(THROUGH_ROOTLESSPORT, server_connections=())).hops}
    assert "own endpoint" not in unseen[HopKind.MASQUERADE].reason


def test_without_a_connection_no_hop_was_taken() -> None:
    refused = TraceEvidence("192.0.2.2:8080", error="192.0.2.2:8080 refused the connection: nothing listens there.")
    assert kinds(refused) == set()
    hops = {hop.kind: hop for hop in read_trace(PATH, refused).hops}
    assert "refused" in hops[HopKind.CLIENT].reason
    assert "no connection was made" in hops[HopKind.CONNTRACK].reason, "and not that the kernel hides its table"


ENDS = st.sampled_from(["", CLIENT, "127.0.0.1:50", "127.0.0.1:8080", INSIDE, "172.17.0.1:60", "[::1]:80"])
SAMPLES = st.builds(
    Sample,
    st.sampled_from([(), tuple(IPTABLES), tuple(NFT), tuple(NFT_INCREMENTED), DNAT.after.rules]),
    *[
        st.dictionaries(
            st.sampled_from(["lo", "docker0", "veth1", "eth0"]), st.builds(PacketCounts, *[st.integers(0, 9)] * 2)
        )
    ]
    * 2,
)
CONNECTIONS = st.lists(
    st.builds(ProcessConnection, st.sampled_from(["", "nginx", "docker-proxy"]), st.integers(0, 2), ENDS, ENDS),
    max_size=4,
)


@given(
    st.builds(
        TraceEvidence,
        target=ENDS.filter(bool),
        client=ENDS,
        client_seen=ENDS,
        answer=st.sampled_from(["", "HTTP 200 OK"]),
        error=st.sampled_from(["", "No answer."]),
        shared=st.booleans(),
        veths=st.sampled_from([(), (VETH,)]),
        before=SAMPLES,
        after=SAMPLES,
        client_connections=CONNECTIONS.map(tuple),
        server_connections=CONNECTIONS.map(tuple),
        entries=st.sampled_from([None, (), MASQUERADED, DNAT.entries]),
        rules_error=st.sampled_from(["", "no tool"]),
    )
)
def test_taken_hops_have_evidence_and_other_hops_a_reason(evidence: TraceEvidence) -> None:
    hops = read_trace(PATH, evidence).hops
    assert [hop.kind for hop in hops] == [kind for kind in HopKind if kind in {hop.kind for hop in hops}]
    assert all(hop.evidence if hop.seen is HopStatus.TAKEN else hop.reason for hop in hops)


@pytest.mark.parametrize(
    ("name", "received", "sent", "kind", "status"),
    [
        ("lo", 5, 5, "loopback", HopStatus.TAKEN),
        ("lo", 4, 5, "loopback", HopStatus.NOT_SEEN),
        ("lo", 5, 4, "loopback", HopStatus.NOT_SEEN),
        ("docker0", 2, 3, "bridge", HopStatus.TAKEN),
        ("docker0", 1, 3, "bridge", HopStatus.NOT_SEEN),
        ("docker0", 2, 2, "bridge", HopStatus.NOT_SEEN),
        ("veth1", 2, 3, "veth", HopStatus.TAKEN),
        ("veth1", 2, 2, "veth", HopStatus.NOT_SEEN),
        ("eth0", 3, 2, "link", HopStatus.TAKEN),
        ("eth0", 2, 2, "link", HopStatus.NOT_SEEN),
        ("eth0", 3, 1, "link", HopStatus.NOT_SEEN),
    ],
)
def test_a_link_is_taken_from_the_minimum_number_of_packets(
    name: str, received: int, sent: int, kind: str, status: HopStatus
) -> None:
    base = THROUGH_PROXY if kind == "loopback" else DNAT
    new = {**base.before.client_links, name: PacketCounts(100 + received, 200 + sent)}
    hops = read_trace(PATH, replace(base, after=replace(base.after, client_links=new, server_links=new))).hops
    (hop,) = [hop for hop in hops if str(hop.kind) == kind]
    assert hop.seen is status
    assert hop.evidence[0].startswith(f"{name}: {received} received, {sent} sent")


def test_a_single_packet_without_an_answer_leaves_a_link_unknown() -> None:
    for received, sent, status in ((1, 0, HopStatus.UNKNOWN), (0, 1, HopStatus.UNKNOWN), (0, 0, HopStatus.NOT_SEEN)):
        new = {**DNAT.before.client_links, "docker0": PacketCounts(100 + received, 200 + sent)}
        hops = read_trace(PATH, replace(DNAT, answer="", after=replace(DNAT.after, client_links=new))).hops
        assert next(hop for hop in hops if hop.kind is HopKind.BRIDGE).seen is status


def test_the_veth_link_has_the_address_to_which_the_packets_went() -> None:
    other = VethLink(
        make_interface("br0", 4, "bridge"),
        make_interface("veth2", 8, "veth", master="br0", peer="if3"),
        make_interface("eth1", 3, "veth", peer="if8", addresses=("172.18.0.2/16",)),
    )
    for veths in ((other, VETH), (VETH, other)):
        titles = [hop.title for hop in read_trace(PATH, replace(DNAT, veths=veths)).hops]
        assert any("docker0" in title for title in titles)
        assert not any("br0" in title for title in titles)
    titles = [hop.title for hop in read_trace(PATH, replace(THROUGH_PROXY, veths=(other, VETH))).hops]
    assert any("docker0" in title for title in titles)
    assert any("br0" in hop.title for hop in read_trace(PATH, replace(DNAT, veths=(other,))).hops), (
        "otherwise the first"
    )


def test_packets_to_an_address_of_the_client_s_stack_pass_loopback() -> None:
    for target, own in (
        ("192.0.2.2:8080", True),
        ("[::1]:8080", True),
        ("127.1.2.3:80", True),
        ("192.0.2.9:80", False),
    ):
        evidence = replace(HOST, target=target, client_connections=(), entries=())
        assert ("loopback" in kinds(evidence)) is own


def test_a_rule_is_evidence_only_for_the_requested_port() -> None:
    others = replace(DNAT, target="192.0.2.2:8081", entries=None)
    assert "dnat" not in kinds(others)
    assert "dnat" not in kinds(replace(DNAT, entries=None, after=replace(DNAT.after, rules=DNAT.before.rules)))


def test_two_packets_are_plural() -> None:
    after = incremented(IPTABLES, "[7:420]", "[9:540]")
    hops = read_trace(PATH, replace(DNAT, after=replace(DNAT.after, rules=tuple(after)))).hops
    evidence = next(hop for hop in hops if hop.kind is HopKind.DNAT).evidence
    assert evidence[1].startswith("+2 packets: ")


def test_without_tracking_the_packets_of_a_source_rule_may_be_of_another_connection() -> None:
    after = tuple(incremented(IPTABLES, "[3:180]", "[4:240]"))
    unknown = replace(DNAT, entries=None, client_seen="", after=replace(DNAT.after, rules=after))
    assert "masquerade" in kinds(unknown, HopStatus.UNKNOWN)
    assert "masquerade" in kinds(replace(unknown, after=DNAT.before), HopStatus.NOT_SEEN)
    assert "masquerade" in kinds(replace(unknown, client_seen=CLIENT), HopStatus.NOT_SEEN)


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        ("oifname != docker0 ip saddr 172.17.0.0/16 masquerade", HopStatus.UNKNOWN),
        ("ip saddr 172.17.0.0/16 snat to 192.0.2.2", HopStatus.UNKNOWN),
        ("tcp dport 8081 dnat to 172.17.0.2:80", HopStatus.NOT_SEEN),
    ],
)
def test_a_source_rule_without_a_counter_may_have_rewritten_the_source(rule: str, status: HopStatus) -> None:
    sample = replace(DNAT.after, rules=(rule,))
    evidence = replace(DNAT, entries=None, client_seen="", before=sample, after=sample)
    hop = next(hop for hop in read_trace(PATH, evidence).hops if hop.kind is HopKind.MASQUERADE)
    assert (hop.seen, hop.evidence) == (status, (rule,) if status is HopStatus.UNKNOWN else ())


def test_a_process_that_answers_itself_is_not_a_proxy() -> None:
    answered = replace(HOST, client_seen="")
    assert "proxy" in kinds(answered, HopStatus.NOT_SEEN)
    assert "proxy" in kinds(replace(THROUGH_PROXY, client_seen=""))
    nameless = replace(HOST, client_connections=(replace(HOST.client_connections[0], process=""),))
    hop = next(hop for hop in read_trace(PATH, nameless).hops if hop.kind is HopKind.PROXY)
    assert "nginx" not in hop.reason
    assert "()" not in hop.reason


def test_a_client_that_its_own_host_has_rewritten_is_not_taken_for_a_proxy() -> None:
    hops = {hop.kind: hop for hop in read_trace(PATH, MASQUERADED_BY_OTHER_HOST).hops}
    assert hops[HopKind.PROXY].reason == "nginx (9) accepted the connection and answered itself"
    assert (
        hops[HopKind.MASQUERADE].reason
        == "the packets already came from 192.0.2.3:50: the client's host has rewritten 172.17.0.9:50"
    )
    translated = replace(DNAT, client="172.17.0.9:50")
    assert {"dnat", "conntrack"} <= kinds(translated)


def test_on_a_rootless_engine_hops_name_rootlesskit_s_namespace() -> None:
    traced = read_trace(PATH, TraceEvidence(PATH.target, client=CLIENT, rules_error="the machine's nat rules"))
    assert name_machine_in(traced, MACHINE_TITLE) == traced
    named = name_machine_in(traced, ROOTLESS_TITLE)
    reasons = {hop.kind: hop.reason for hop in named.hops}
    assert reasons[HopKind.PROXY] == f"no process of {ROOTLESS_TITLE} accepted the connection"
    assert not any("machine" in hop.reason + hop.title for hop in named.hops)


DROPS = ("*filter", "[{}:60] -A DOCKER-USER -i eth0 -j DROP")


def from_outside(before: int, after: int, answer: str = "") -> dict[HopKind, tuple[HopStatus, tuple[str, ...]]]:
    """The hops of a request from another machine while a rule that drops counted packets."""
    rules = [tuple(line.format(packets) for line in DROPS) for packets in (before, after)]
    evidence = replace(BASE, filtered=True, answer=answer, own_addresses=frozenset({"192.0.2.10"}))
    evidence = replace(
        evidence,
        before=replace(evidence.before, filter_rules=rules[0]),
        after=replace(evidence.after, filter_rules=rules[1]),
    )
    path = replace(PATH, kind=PathKind.LAN_PUBLISHED, client="neighbour")
    return {hop.kind: (hop.seen, hop.evidence) for hop in read_trace(path, evidence).hops}


def test_a_rule_that_counted_a_packet_may_have_dropped_an_unanswered_request_from_outside() -> None:
    rule = ("+1 packet: rule “-A DOCKER-USER -i eth0 -j DROP” (table filter)",)
    assert from_outside(2, 3)[HopKind.FILTER] == (HopStatus.UNKNOWN, rule)
    assert from_outside(2, 3, "HTTP 200 OK")[HopKind.FILTER] == (HopStatus.NOT_SEEN, rule)
    assert from_outside(3, 3)[HopKind.FILTER] == (HopStatus.NOT_SEEN, ())


COUNTED = ("+9 packets: rule “-A INPUT -j DROP” (table filter)",)


@pytest.mark.parametrize(
    ("verdict", "answer", "expected"),
    [
        ("drop", "", (HopStatus.TAKEN, ("rule “-A X” (table filter)",))),
        ("accept", "HTTP 200 OK", (HopStatus.NOT_SEEN, ())),
        # The rule may have dropped the reply.
        ("accept", "", (HopStatus.UNKNOWN, COUNTED)),
    ],
)
def test_the_verdict_on_the_packet_itself_decides_and_not_the_counters_unless_nothing_answers(
    verdict: str, answer: str, expected: tuple[HopStatus, tuple[str, ...]]
) -> None:
    first = FirstPacket((), (RuleStep(1, "filter", "DOCKER-USER", 7, verdict),), {("filter", "DOCKER-USER", 7): "-A X"})
    before, after = (Sample(filter_rules=("*filter", f"[{count}:60] -A INPUT -j DROP")) for count in (0, 9))
    evidence = replace(BASE, answer=answer, filtered=True, first=first, before=before, after=after)
    path = replace(PATH, kind=PathKind.LAN_PUBLISHED, client="neighbour")
    hop = next(hop for hop in read_trace(path, evidence).hops if hop.kind is HopKind.FILTER)
    assert (hop.seen, hop.evidence) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("", (HopStatus.UNKNOWN, "the machine's rules cannot be read: no nft")),
        ("200 OK", (HopStatus.NOT_SEEN, "the request was answered")),
    ],
)
def test_without_the_rules_no_drop_is_stated_and_only_an_answer_rules_one_out(
    answer: str, expected: tuple[HopStatus, str]
) -> None:
    error = "the machine's rules cannot be read: no nft"
    evidence = replace(BASE, answer=answer, filtered=True, filter_error=error)
    evidence = replace(evidence, after=replace(evidence.after, filter_rules=("*filter", "[9:60] -A INPUT -j DROP")))
    path = replace(PATH, kind=PathKind.LAN_PUBLISHED, client="neighbour")
    hop = next(hop for hop in read_trace(path, evidence).hops if hop.kind is HopKind.FILTER)
    assert (hop.seen, hop.reason) == expected


def test_rules_that_drop_are_not_a_hop_of_requests_from_the_machine() -> None:
    assert HopKind.FILTER not in {hop.kind for hop in read_trace(PATH, DNAT).hops}
