"""The weight of rows: what decides comes first, details last."""

from __future__ import annotations

import pytest
from hypothesis import given

from dashboard.core.comparison.rows import compare
from dashboard.core.comparison.weight import Weight, by_weight, weigh, weigh_row
from dashboard.core.experiments.messages import Relation, Row
from dashboard.core.experiments.stream import row_id
from tests.core.builders import Columns, States
from tests.core.strategies import engine_scenes


@pytest.mark.parametrize(
    ("section", "key", "field", "weight"),
    [
        ("identity", "netns", "", Weight.DECIDES),
        ("identity", "address", "", Weight.DECIDES),
        ("identity", "hostname", "", Weight.EXPLAINS),
        ("identity", "namespace pid", "", Weight.DETAIL),
        ("published", "80/tcp", "published", Weight.DECIDES),
        ("listeners", "tcp :80", "", Weight.DECIDES),
        ("listeners", "udp resolver", "", Weight.DETAIL),
        ("listeners", "udp queries", "", Weight.DETAIL),
        ("interfaces", "eth0", "addresses", Weight.DECIDES),
        ("interfaces", "lo", "addresses", Weight.EXPLAINS),
        ("interfaces", "eth0", "mtu", Weight.DETAIL),
        ("interfaces", "eth0", "mac", Weight.DETAIL),
        ("interfaces", "veth to bridge", "addresses", Weight.DETAIL),
        ("interfaces", "veth to bridge", "joined", Weight.EXPLAINS),
        ("routes", "default", "inet", Weight.DECIDES),
        ("routes", "172.17.0.0/16", "inet", Weight.EXPLAINS),
        ("routes", "fe80::/64", "inet6", Weight.DETAIL),
        ("routes", "ff00::/8", "inet6", Weight.DETAIL),
        ("dns", "resolver", "nameservers", Weight.DECIDES),
        ("dns", "resolver", "search", Weight.EXPLAINS),
        ("dns", "resolver", "options", Weight.DETAIL),
        ("dns", "lookup web", "", Weight.DECIDES),
        ("hosts", "own host name", "", Weight.DECIDES),
        ("hosts", "ip6-allnodes", "", Weight.DETAIL),
        ("sysctls", "net.ipv4.ip_unprivileged_port_start", "", Weight.DECIDES),
        ("sysctls", "net.ipv4.ip_forward", "", Weight.EXPLAINS),
        ("sysctls", "net.core.somaxconn", "", Weight.DETAIL),
        ("something new", "x", "", Weight.DECIDES),
    ],
)
def test_decisive_rows_are_heavier_than_rows_that_explain_them(
    section: str, key: str, field: str, weight: Weight
) -> None:
    assert weigh(section, key, field) is weight


@given(engine_scenes())
def test_rows_are_compared_in_the_order_of_their_weights_and_details_are_marked(scene: tuple[Columns, States]) -> None:
    rows = compare(*scene)
    assert rows == by_weight(rows)
    assert [row.detail for row in rows] == [weigh_row(row) is Weight.DETAIL for row in rows]


def test_rows_of_an_old_report_keep_their_order_where_the_weight_is_the_same() -> None:
    def row(section: str, key: str, field: str = "") -> Row:
        return Row(section, key, field, {"machine": "x"}, Relation.SAME)

    rows = (row("b", "1"), row("interfaces", "eth0", "mtu"), row("b", "0"), row("interfaces", "eth0", "addresses"))
    assert [row_id(one) for one in by_weight(rows)] == [
        "b/1/",
        "b/0/",
        "interfaces/eth0/addresses",
        "interfaces/eth0/mtu",
    ]
