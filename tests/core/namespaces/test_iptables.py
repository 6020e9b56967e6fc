"""The rules that iptables-save prints."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.namespaces.iptables import parse_ports, read_iptables, split_endpoint
from dashboard.core.namespaces.packet_rules import NameMatch, Rule, Verdict
from dashboard.core.namespaces.state import Family

HEAD = "*nat\n:OUTPUT ACCEPT [0:0]\n:DOCKER - [0:0]\n"


def rule_of(options: str, family: Family = Family.INET) -> Rule:
    """The rule with these options in the chain OUTPUT."""
    return read_iptables(f"{HEAD}-A OUTPUT {options}\nCOMMIT\n", family)["nat"].chains["OUTPUT"].rules[0]


def test_a_rule_of_docker_is_read_whole() -> None:
    rule = rule_of("-d 192.0.2.2/32 ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80")
    assert rule == Rule(
        Verdict.TRANSLATE,
        protocols=frozenset({"tcp"}),
        destinations=(ipaddress.ip_network("192.0.2.2/32"),),
        incoming=(NameMatch("docker0", negated=True),),
        ports=frozenset({8080}),
        to_address="172.17.0.2",
        to_port=80,
    )


def test_counters_and_comments_have_no_meaning() -> None:
    plain = rule_of("-p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1")
    text = (
        f'{HEAD}[7:420] -A OUTPUT -p tcp -m tcp --dport 80 -m comment --comment "a -j DROP" -j DNAT --to-destination '
    )
    assert read_iptables(f"{text}10.0.0.1\n", Family.INET)["nat"].chains["OUTPUT"].rules == [plain]


@pytest.mark.parametrize(
    ("options", "unknown"),
    [
        ("-m owner --uid-owner 0 -j ACCEPT", "-m owner --uid-owner 0"),
        ("-s 10.0.0.0/8 -j ACCEPT", "-s 10.0.0.0/8"),
        ("! -p tcp -j ACCEPT", "! -p tcp"),
        ("-p tcp ! --dport 80 -j ACCEPT", "! --dport 80"),
        ("-m addrtype ! --dst-type LOCAL -j ACCEPT", "! --dst-type LOCAL"),
        ("-m addrtype --dst-type LOCAL -j LOG --log-prefix x", ""),
        ("! -s fe80::/10 -j ACCEPT", ""),
    ],
)
def test_conditions_that_are_not_evaluated_are_kept(options: str, unknown: str) -> None:
    assert rule_of(options).unknown == unknown


def test_states_decide_whether_a_new_connection_matches() -> None:
    assert not rule_of("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT").new
    assert rule_of("-m conntrack ! --ctstate RELATED,ESTABLISHED -j ACCEPT").new
    assert rule_of("-m state --state NEW,ESTABLISHED -j ACCEPT").new


def test_jumps_and_verdicts_are_read() -> None:
    assert (rule_of("-j DOCKER").verdict, rule_of("-j DOCKER").target) == (Verdict.JUMP, "DOCKER")
    assert rule_of("-g DOCKER").verdict is Verdict.GOTO
    assert rule_of("-j MARK --set-xmark 0x1").verdict is Verdict.NONE
    assert rule_of("-j REJECT --reject-with icmp-port-unreachable").verdict is Verdict.DROP
    redirect = rule_of("-p tcp -m tcp --dport 80 -j REDIRECT --to-ports 3128", Family.INET6)
    assert (redirect.verdict, redirect.to_address, redirect.to_port) == (Verdict.TRANSLATE, "::1", 3128)


def test_only_hooks_have_a_policy() -> None:
    tables = read_iptables("*filter\n:FORWARD DROP [0:0]\n:DOCKER - [0:0]\n", Family.INET)
    chains = tables["filter"].chains
    assert (chains["FORWARD"].hook, chains["FORWARD"].policy) == ("forward", Verdict.DROP)
    assert (chains["DOCKER"].hook, chains["DOCKER"].policy) == ("", Verdict.ACCEPT)


@pytest.mark.parametrize(
    ("text", "ports"),
    [("80", {80}), ("80:82", {80, 81, 82}), ("80,443", {80, 443}), ("1:65535", None), ("http", None), ("9:8", set())],
)
def test_ports_and_ranges_are_parsed(text: str, ports: set[int] | None) -> None:
    assert parse_ports(text, ":") == (None if ports is None else frozenset(ports))


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("172.17.0.2:80", ("172.17.0.2", 80)),
        ("[fd00::2]:80", ("fd00::2", 80)),
        ("fd00::2", ("fd00::2", 0)),
        ("172.17.0.2", ("172.17.0.2", 0)),
        ("80", ("", 80)),
        ("172.17.0.2:80-90", ("172.17.0.2", 0)),
    ],
)
def test_new_destinations_are_read(text: str, endpoint: tuple[str, int]) -> None:
    assert split_endpoint(text) == endpoint


@given(st.lists(st.text(alphabet="*:-A[]!jdp mtcpDNATOUTPUT0123456789./'\"\n", max_size=60)))
def test_any_text_is_read_or_ignored(lines: list[str]) -> None:
    read_iptables("\n".join(lines), Family.INET)
