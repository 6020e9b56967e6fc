"""dashboard.core.comparison.answer.rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.comparison.answer.comparison_table import ComparisonTable, join_addresses
from dashboard.core.comparison.answer.rules import RULES
from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.messages import ArmStatus, Relation, Row
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import Family, HostsEntry, Lookup, Protocol
from tests.core.builders import Columns, States, container_id, end, make_listener, with_column, without
from tests.core.scenes import make_scene

THREE = ("host", "bridge", "user-bridge")


def sentences(columns: Columns, states: States) -> dict[str, str]:
    """The statements of the rules about a scene, without rules that state nothing."""
    table = ComparisonTable(columns, compare(columns, states), states.get(MACHINE))
    return {name: stated[1] for name, rule in RULES if (stated := rule(table)) is not None}


def of_modes(*modes: str, publish: int | None = 8080) -> dict[str, str]:
    return sentences(*make_scene(modes, publish=publish))


def with_lookup(modes: tuple[str, ...], name: str, *finding: str, foreign: tuple[str, ...] = ()) -> dict[str, str]:
    """The statements if the columns ``finding`` get the address of the arm ``name``, and the columns ``foreign`` get an
    address from a search domain with a wildcard."""
    columns, states = make_scene(modes)
    address = next((one for column in columns if column.key == name for one in column.networks.values()), "192.0.2.9")
    found, missing = Lookup(name, "answer", (address,), "127.0.0.11"), Lookup(name, "no such name")
    wildcard = Lookup(name, "answer", ("203.0.113.80",), "192.0.2.53")
    looked = {
        key: replace(state, lookups=(found if key in finding else wildcard if key in foreign else missing,))
        for key, state in states.items()
    }
    return sentences(columns, looked)


def withdrawn(*modes: str) -> dict[str, str]:
    """The arms after the Engine has withdrawn their ports, because they have left their network."""
    columns, states = make_scene(modes, publish=8080)
    return sentences(tuple(replace(column, published=()) for column in columns), states)


CASES = [
    (
        "namespace",
        of_modes(*THREE),
        "host uses this machine's network namespace; bridge and user-bridge each have their own.",
    ),
    ("namespace", of_modes("host"), None),
    ("namespace", of_modes("bridge", "none"), "Network namespaces: bridge and none each have their own."),
    (
        "namespace",
        of_modes("bridge", "none", "container"),
        "Network namespaces: none has its own; bridge and container share one.",
    ),
    (
        "discarded",
        of_modes(*THREE),
        "The Engine discarded -p for host: 80/tcp was requested at :8080 and is not published.",
    ),
    (
        "discarded",
        withdrawn("bridge"),
        "80/tcp of bridge was requested at :8080 and is not published.",
    ),
    (
        "discarded",
        withdrawn("host", "bridge"),
        "The Engine discarded -p for host: 80/tcp was requested at :8080 and is not published.",
    ),
    ("discarded", of_modes("bridge", "user-bridge"), None),
    ("discarded", of_modes(*THREE, publish=None), None),
    (
        "published",
        of_modes("host", "bridge"),
        "bridge publishes 80/tcp at *:8081; host listens on the machine's port 80, without forwarding.",
    ),
    ("published", of_modes("host", "none", publish=None), None),
    (
        "address",
        of_modes("host", "bridge"),
        "bridge has 172.17.0.2; host has no separate address and uses the machine's.",
    ),
    (
        "resolver",
        of_modes("host", "user-bridge"),
        (
            "Name servers: host uses 127.0.0.53, 192.0.2.53 (copied from the machine); "
            "user-bridge uses 127.0.0.11 (Docker's own resolver)."
        ),
    ),
    (
        "lookup",
        with_lookup(THREE, "bridge", "user-bridge"),
        "The container's name “bridge” resolves in user-bridge, not in host and bridge.",
    ),
    (
        "lookup",
        with_lookup(THREE, "user-bridge", "user-bridge", foreign=("host",)),
        "The container's name “user-bridge” resolves in user-bridge, not in bridge; host gets another address.",
    ),
    (
        "lookup",
        with_lookup(THREE, "user-bridge", "user-bridge", foreign=("host", "bridge")),
        "The container's name “user-bridge” resolves in user-bridge; host and bridge get another address.",
    ),
    ("lookup", with_lookup((*THREE, "none"), "host", foreign=THREE), None),
    ("lookup", with_lookup(THREE, "example.org", "user-bridge"), None),
    ("lookup", with_lookup(THREE, "bridge", *THREE, MACHINE), None),
    ("hosts", of_modes("host", "bridge"), "The hosts file of host lists “lab-1”; that of bridge does not."),
    (
        "open-ports",
        of_modes("host", "bridge"),
        "host shares this machine's 3 listening ports, all of them bound to non-loopback addresses; bridge has only 1.",
    ),
    ("open-ports", of_modes("bridge", "user-bridge"), None),
    (
        "low-ports",
        of_modes("host", "bridge"),
        "Without root a program may bind ports from 1024 in this machine and host; from 0 in bridge.",
    ),
    (
        "route",
        of_modes("host", "none"),
        "Default route: host via 192.0.2.1 dev eth0; none has no default route.",
    ),
]


@pytest.mark.parametrize(("rule", "stated", "sentence"), CASES)
def test_each_rule_states_what_rows_prove_and_nothing_else(
    rule: str, stated: dict[str, str], sentence: str | None
) -> None:
    assert stated.get(rule) == sentence


@pytest.mark.parametrize(
    ("process", "container", "own"),
    [
        ("nginx", container_id("host"), True),
        ("apache2", None, False),
        ("nginx", container_id("bridge"), False),
        (None, None, True),
    ],
)
def test_host_mode_listens_on_the_machine_s_port_unless_another_program_is_known_to(
    process: str | None, container: str | None, own: bool
) -> None:
    columns, states = make_scene(("host", "bridge"))
    listeners = (make_listener(80, process, container=container),)
    machine = {key: replace(states[key], listeners=listeners) for key in (MACHINE, "host")}
    stated = sentences(columns, states | machine)["published"]
    assert ("host listens on the machine's port 80, without forwarding" in stated) is own


def test_no_rule_states_that_a_stopped_container_lacks_something() -> None:
    columns, states = make_scene(THREE)
    columns, states = end(columns, "bridge", ArmStatus.EXITED), without(states, "bridge")
    for sentence in sentences(columns, states).values():
        assert "not in bridge" not in sentence
        assert "bridge has no " not in sentence


@pytest.mark.parametrize(
    ("addresses", "where"),
    [
        (("0.0.0.0",), "a non-loopback address"),
        (("127.0.0.1",), "loopback only"),
        (("::1",), "loopback only"),
        (("127.0.0.53", "127.0.0.54"), "loopback only"),
        (("127.0.0.1", "::"), "a non-loopback address"),
        (("192.0.2.2",), "a non-loopback address"),
    ],
)
def test_the_only_listening_port_of_the_machine_is_bound_to_loopback_or_to_more(
    addresses: tuple[str, ...], where: str
) -> None:
    columns, states = make_scene(("host", "bridge"), publish=None)
    listeners = tuple(
        make_listener(family=Family.INET6 if ":" in address else Family.INET, address=address) for address in addresses
    )
    machine = {key: replace(states[key], listeners=listeners) for key in (MACHINE, "host")}
    sentence = sentences(columns, states | machine)["open-ports"]
    assert sentence == f"host shares this machine's only listening port, which is bound to {where}; bridge has 1."


@pytest.mark.parametrize(
    ("addresses", "which"),
    [
        (("0.0.0.0", "192.0.2.2"), "all"),
        (("127.0.0.1", "0.0.0.0"), "1"),
        (("127.0.0.1", "127.0.0.53"), "none"),
    ],
)
def test_the_ports_that_are_bound_to_more_than_loopback_are_counted(addresses: tuple[str, ...], which: str) -> None:
    columns, states = make_scene(("host", "bridge"), publish=None)
    listeners = tuple(make_listener(80 + number, address=address) for number, address in enumerate(addresses))
    machine = {key: replace(states[key], listeners=listeners) for key in (MACHINE, "host")}
    sentence = sentences(columns, states | machine)["open-ports"]
    assert f"2 listening ports, {which} of them bound to non-loopback addresses" in sentence


def test_sockets_that_only_send_queries_are_not_counted_as_listening_ports() -> None:
    columns, states = make_scene(("host", "bridge"), publish=None)
    queries = [make_listener(port, "aardvark-dns", 900, protocol=Protocol.UDP) for port in range(40000, 40003)]
    listeners = (make_listener(22, "sshd", 811), make_listener(3306, "mysqld", 812, address="127.0.0.1"), *queries)
    machine = {key: replace(states[key], listeners=listeners) for key in (MACHINE, "host")}
    sentence = sentences(columns, states | machine)["open-ports"]
    assert "2 listening ports, 1 of them bound to non-loopback addresses; bridge has only 1." in sentence


@pytest.mark.parametrize(
    ("joined", "source"),
    [(("bridge", "container"), "that of bridge"), (("host", "none", "container"), "the machine's")],
)
def test_a_container_without_a_separate_address_uses_that_of_its_network_namespace(
    joined: tuple[str, ...], source: str
) -> None:
    assert f"no separate address and uses {source}" in of_modes(*joined)["address"].replace("use ", "uses ")


def test_a_row_counts_when_the_container_runs_not_by_the_word_in_its_cell() -> None:
    columns, states = make_scene(THREE)
    rows = [replace(row, absent=dict.fromkeys(row.absent, "–")) for row in compare(columns, states)]  # noqa: RUF001
    table = ComparisonTable(columns, rows, states[MACHINE])
    stated = {name: found[1] for name, rule in RULES if (found := rule(table)) is not None}
    assert stated == of_modes(*THREE)


def test_a_title_is_not_changed() -> None:
    columns, states = make_scene(("host", "bridge"))
    columns = with_column(columns, "host", title="<b>host</b>")
    states = states | {"host": replace(states["host"], hosts=(HostsEntry("192.0.2.9", ("db",)),))}
    assert sentences(columns, states)["namespace"].startswith("<b>host</b> uses this machine's ")


@pytest.mark.parametrize(
    "identity",
    [
        ("sysctls", "net.ipv4.ip_unprivileged_port_start", ""),
        ("identity", "hostname", ""),
        ("dns", "resolver", "nameservers"),
        ("identity", "netns", ""),
    ],
)
def test_a_row_without_texts_proves_nothing(identity: tuple[str, str, str]) -> None:
    columns, states = make_scene(("host", "bridge"))
    row = Row(*identity, dict.fromkeys(column.key for column in columns), Relation.ONLY)
    table = ComparisonTable(columns, [row], states[MACHINE])
    assert [name for name, rule in RULES if rule(table) is not None] == []


def test_only_assigned_addresses_are_stated_of_an_invisible_engine() -> None:
    columns, _states = make_scene(("host", "bridge", "none"))
    far = tuple(replace(column, invisible="the engine is reached over SSH") for column in columns)
    address = far[2].networks["bridge"]
    assert sentences(far, {})["address"] == f"bridge has {address}; the Engine assigned none to host and none."


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("0.0.0.0:8080\n[::]:8080", "*:8080"),
        ("0.0.0.0:8080", "0.0.0.0:8080"),
        ("[::]:8080", "[::]:8080"),
        ("0.0.0.0:8080\n[::]:8081\n127.0.0.1:8080", "0.0.0.0:8080, [::]:8081, 127.0.0.1:8080"),
        ("0.0.0.0:8080\n[::]:8080\n0.0.0.0:9090\n[::]:9090", "*:8080, *:9090"),
    ],
)
def test_both_wildcards_are_written_as_one(cell: str, line: str) -> None:
    assert join_addresses(cell) == line


@pytest.mark.parametrize(
    ("count", "places"),
    [
        (2, "9001/tcp at *:19001 and 9002/tcp at *:19002"),
        (3, "9001/tcp at *:19001, 9002/tcp at *:19002 and 9003/tcp at *:19003"),
        (10, "9001/tcp at *:19001, 9002/tcp at *:19002 and 8 other ports"),
    ],
)
def test_a_sentence_names_the_first_of_many_published_ports(count: int, places: str) -> None:
    columns, _states = make_scene(("none", "bridge"))
    rows = [
        Row("published", f"{port}/tcp", "published", {"bridge": f"0.0.0.0:1{port}\n[::]:1{port}"}, Relation.ONLY)
        for port in range(9001, 9001 + count)
    ]
    published = dict(RULES)["published"](ComparisonTable(columns, rows))
    assert published == (rows[0], f"bridge publishes {places}.")
