"""The rules that ``nft -j list ruleset`` prints."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dashboard.core.namespaces.nftables import read_nftables
from dashboard.core.namespaces.packet_filter import read_rules
from dashboard.core.namespaces.packet_rules import NameMatch, Rule, Verdict
from dashboard.core.namespaces.state import Family


def rules_of(*statements: Any, family: str = "ip", more: tuple[Any, ...] = ()) -> list[Rule]:
    rule = {"rule": {"family": family, "table": "t", "chain": "c", "expr": list(statements)}}
    return read_nftables(json.dumps({"nftables": [*more, rule]})).tables[family, "t"].chains["c"].rules


def match(left: Any, right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


def payload(protocol: str, field: str) -> dict[str, Any]:
    return {"payload": {"protocol": protocol, "field": field}}


PORT = match(payload("tcp", "dport"), 80)
DNAT = {"dnat": {"addr": "10.0.0.1", "port": 8080}}
LIMIT = {"limit": {"rate": 500, "burst": 50, "per": "second", "inv": True}}
SOURCES = {"op": "add", "elem": payload("ip", "saddr"), "set": "@sources"}


def test_a_chain_has_its_hook_and_policy() -> None:
    chain = {"family": "inet", "table": "t", "name": "c", "type": "filter", "hook": "forward", "prio": 5}
    table = read_nftables(json.dumps({"nftables": [{"chain": chain | {"policy": "drop"}}]})).tables["inet", "t"]
    read = table.base_chains("filter", "forward")[0]
    assert (read.priority, read.policy) == (5, Verdict.DROP)
    assert len(table.families) == 2


@pytest.mark.parametrize(
    ("condition", "ports"),
    [
        (PORT, {80}),
        (match(payload("th", "dport"), {"set": [80, {"range": [90, 91]}]}), {80, 90, 91}),
        (match(payload("tcp", "dport"), {"range": [80, 81]}), {80, 81}),
    ],
)
def test_ports_are_single_sets_or_ranges(condition: Any, ports: set[int]) -> None:
    rule = rules_of(condition, DNAT)[0]
    assert (rule.verdict, rule.ports, rule.to_port) == (Verdict.TRANSLATE, frozenset(ports), 8080)
    assert rule.unknown == ""


@pytest.mark.parametrize(
    "condition",
    [
        match({"meta": {"key": "mark"}}, 1),
        match(payload("tcp", "dport"), 80, "!="),
        match(payload("ip", "saddr"), "10.0.0.1"),
        match(payload("ip", "daddr"), "@unknown"),
        match({"fib": {"result": "type", "flags": ["saddr"]}}, "local"),
        match({"fib": {"result": "type", "flags": "saddr"}}, "local"),
        match({"meta": {"key": "iifname"}}, {"set": ["docker0", "eth1"]}),
        match({"meta": {"key": "iifname"}}, "@unknown", "!="),
        {"xt": {"type": "match", "name": "owner"}},
        {"unheard-of": None},
        LIMIT,
        {"limit": "named"},
        {"quota": {"val": 25, "val_unit": "mbytes", "inv": True}},
        {"set": SOURCES | {"stmt": [LIMIT]}},
        {"meter": {"name": "m", "key": payload("ip", "saddr"), "stmt": LIMIT}},
    ],
)
def test_conditions_that_are_not_evaluated_are_kept(condition: Any) -> None:
    assert rules_of(condition, DNAT)[0].unknown


@pytest.mark.parametrize(
    "statement",
    [
        {"counter": {"packets": 0, "bytes": 0}},
        {"log": {"prefix": "web "}},
        {"set": SOURCES},
        {"set": SOURCES | {"stmt": [{"counter": {"packets": 0, "bytes": 0}}]}},
    ],
)
def test_a_statement_without_a_condition_adds_none(statement: Any) -> None:
    assert rules_of(statement, DNAT)[0].unknown == ""


def test_conditions_that_are_evaluated_are_read() -> None:
    rule = rules_of(
        match({"meta": {"key": "iifname"}}, "docker0", "!="),
        match(payload("ip", "daddr"), {"prefix": {"addr": "127.0.0.0", "len": 8}}, "!="),
        match({"fib": {"result": "type", "flags": ["daddr"]}}, "local"),
        match({"meta": {"key": "l4proto"}}, "udp"),
        match({"ct": {"key": "state"}}, ["established", "related"], "in"),
        {"counter": {"packets": 0, "bytes": 0}},
        {"jump": {"target": "next"}},
    )[0]
    assert rule.incoming == (NameMatch("docker0", negated=True),)
    assert [str(one) for one in rule.not_destinations] == ["127.0.0.0/8"]
    assert (rule.protocols, rule.new, rule.target, rule.unknown) == (frozenset({"udp"}), False, "next", "")


@pytest.mark.parametrize("flags", [["daddr"], "daddr"])
def test_a_single_flag_of_fib_is_read_as_a_list_or_as_nft_1_1_4_prints_it(flags: Any) -> None:
    assert rules_of(match({"fib": {"result": "type", "flags": flags}}, "local"), DNAT)[0].unknown == ""


@pytest.mark.parametrize(("key", "side"), [("iifname", "incoming"), ("oifname", "outgoing")])
def test_none_of_several_interfaces_is_a_condition_on_each(key: str, side: str) -> None:
    rule = rules_of(match({"meta": {"key": key}}, {"set": ["docker0", "eth1"]}, "!="), {"drop": None})[0]
    assert getattr(rule, side) == (NameMatch("docker0", negated=True), NameMatch("eth1", negated=True))
    assert rule.unknown == ""


def test_a_verdict_map_is_a_rule_for_each_element() -> None:
    elements = [["docker0", {"jump": {"target": "one"}}], ["br1", {"drop": None}]]
    named = {"map": {"family": "ip", "table": "t", "name": "m", "map": "verdict", "elem": elements}}
    for data, more in (("@m", (named,)), ({"set": elements}, ())):
        rules = rules_of({"vmap": {"key": {"meta": {"key": "oifname"}}, "data": data}}, more=more)
        assert [(rule.outgoing[0].name, rule.verdict) for rule in rules] == [
            ("docker0", Verdict.JUMP),
            ("br1", Verdict.DROP),
        ]


@pytest.mark.parametrize(
    ("protocol", "source", "read"),
    [
        ("ip6", {"prefix": {"addr": "fe80::", "len": 10}}, ["fe80::/10"]),
        ("ip", {"prefix": {"addr": "169.254.0.0", "len": 16}}, ["169.254.0.0/16"]),
        ("ip", {"prefix": {"addr": "10.0.0.0", "len": 8}}, []),
        ("ip", {"set": [{"prefix": {"addr": "169.254.0.0", "len": 16}}, "10.0.0.1"]}, []),
    ],
)
def test_a_source_that_is_not_link_local_is_a_destination_that_is_not(
    protocol: str, source: Any, read: list[str]
) -> None:
    rule = rules_of(match(payload(protocol, "saddr"), source, "!="), PORT, {"redirect": {"port": 81}})[0]
    assert [str(network) for network in rule.not_destinations] == read
    assert bool(rule.unknown) is not bool(read)


def test_a_translation_by_a_map_is_a_condition() -> None:
    rule = rules_of(PORT, {"dnat": {"addr": {"map": {"key": 1, "data": "@m"}}}})[0]
    assert rule.verdict is Verdict.TRANSLATE
    assert rule.unknown.startswith("dnat to ")


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([PORT, {"dnat": {"family": "ip", "addr": "10.0.0.2"}}], {Family.INET: "10.0.0.2"}),
        ([PORT, {"dnat": {"family": "ip6", "addr": "fd00::2"}}], {Family.INET6: "fd00::2"}),
        ([PORT, {"dnat": {"addr": "10.0.0.2"}}], {Family.INET: "10.0.0.2"}),
        ([PORT, {"dnat": {"addr": "fd00::2"}}], {Family.INET6: "fd00::2"}),
        ([PORT, {"redirect": {"port": 81}}], {Family.INET: "127.0.0.1", Family.INET6: "::1"}),
        (
            [match({"meta": {"key": "nfproto"}}, "ipv6"), PORT, {"redirect": {"port": 81}}],
            {Family.INET6: "::1"},
        ),
        (
            [match(payload("ip", "daddr"), "127.0.0.1", "!="), PORT, {"redirect": {"port": 81}}],
            {Family.INET: "127.0.0.1"},
        ),
    ],
)
def test_a_translation_in_an_inet_table_is_for_the_family_of_its_address(
    statements: list[Any], expected: dict[Family, str]
) -> None:
    chain = {"family": "inet", "table": "t", "name": "c", "type": "nat", "hook": "output", "prio": -100}
    rule = {"family": "inet", "table": "t", "chain": "c", "expr": statements}
    tables = read_nftables(json.dumps({"nftables": [{"chain": chain}, {"rule": rule}]})).tables.values()
    read = read_rules(list(tables), {}).translations
    assert {one.family: one.to_address for one in read} == expected
    assert not any(one.condition for one in read)


def test_a_rule_for_one_family_isolates_no_bridge_for_the_other() -> None:
    chain = {"family": "inet", "table": "t", "name": "c", "type": "filter", "hook": "forward", "prio": 0}
    expression = [match({"meta": {"key": "nfproto"}}, "ipv6"), {"drop": None}]
    rule = {"family": "inet", "table": "t", "chain": "c", "expr": expression}
    tables = read_nftables(json.dumps({"nftables": [{"chain": chain}, {"rule": rule}]})).tables.values()
    rules = read_rules(list(tables), {family: ["br0"] for family in Family})
    assert [rules.isolates("br0", family) for family in Family] == [False, True]


def test_direct_access_is_dropped_except_from_the_bridge_and_trusted_interfaces() -> None:
    """Moby, libnetwork/drivers/bridge/internal/nftabler: DROP DIRECT ACCESS."""
    chain = {"family": "ip", "table": "t", "name": "c", "type": "filter", "hook": "prerouting", "prio": -300}
    expression = [
        match(payload("ip", "daddr"), "172.17.0.2"),
        match({"meta": {"key": "iifname"}}, {"set": ["eth1", "docker0"]}, "!="),
        {"drop": None},
    ]
    rule = {"family": "ip", "table": "t", "chain": "c", "expr": expression}
    tables = read_nftables(json.dumps({"nftables": [{"chain": chain}, {"rule": rule}]})).tables.values()
    drops = read_rules(list(tables), {}).direct_drops
    assert [(one.address, one.interfaces) for one in drops] == [("172.17.0.2", ("docker0", "eth1"))]


def test_tables_of_iptables_are_marked() -> None:
    rule = {"family": "ip", "table": "nat", "chain": "c", "expr": [{"xt": {"type": "target", "name": "DNAT"}}]}
    assert read_nftables(json.dumps({"nftables": [{"rule": rule}]})).foreign == {("ip", "nat")}


@pytest.mark.parametrize("text", ["", "[]", "3", "{}", '{"nftables": 3}', "[" * 10_000])
def test_text_that_is_no_listing_of_nftables_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_nftables(text)


leaves = st.none() | st.booleans() | st.integers() | st.sampled_from(["ip", "tcp", "dport", "match", "@m", "==", "x"])
keys = st.sampled_from(["match", "left", "right", "op", "payload", "protocol", "field", "dnat", "addr", "vmap", "data"])
trees = st.recursive(leaves, lambda one: st.lists(one, max_size=3) | st.dictionaries(keys, one, max_size=3))


@given(st.lists(trees, max_size=4))
@example([{"match": {"op": ["=="]}}])
@example([{"dnat": {"addr": "192.0.2.1", "family": ["ip"]}}])
def test_any_statements_are_read(statements: list[Any]) -> None:
    rules_of(*statements)


@given(trees)
@example(["ip"])
def test_tables_of_other_families_are_left_out(family: Any) -> None:
    kinds = ("chain", "map", "rule")
    listing = {"nftables": [{kind: {"family": family, "table": "t", "name": "c", "chain": "c"}} for kind in kinds]}
    assert set(read_nftables(json.dumps(listing)).tables) <= {("ip", "t")}
