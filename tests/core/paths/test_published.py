"""Paths to published ports, as the nat rules and docker-proxy's listeners prove them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.experiments.messages import PublishedPort
from dashboard.core.measurements.measurement import Probe
from dashboard.core.measurements.schedule import probe_problem
from dashboard.core.namespaces.state import (
    Family,
    FirewallRules,
    IsolatedBridge,
    Listener,
    NamespaceState,
    Protocol,
    Translation,
    UnreadRules,
)
from dashboard.core.paths.finder import find_paths
from dashboard.core.paths.model import PathKind
from dashboard.core.paths.published import userland_proxy
from tests.core.builders import MACHINE, Columns, States, make_listener, make_ports
from tests.core.scenes import make_scene, with_rootless_netns

DOCKER = Translation(Protocol.TCP, Family.INET, 8080, "172.17.0.2", 80, "", ("127.0.0.0/8",))
NO_RULES = FirewallRules()
UNREAD = FirewallRules(unread=tuple(UnreadRules(family, "iptables-save is not installed") for family in Family))


def scene(rules: FirewallRules, *, proxy: bool = True, ports: tuple[PublishedPort, ...] = ()) -> tuple[Columns, States]:
    """A bridge arm that publishes 8080, on a machine with these rules."""
    columns, states = make_scene(("bridge",))
    machine = states[MACHINE]
    listeners = tuple(one for one in machine.listeners if proxy or one.process != "docker-proxy")
    states[MACHINE] = replace(machine, firewall=rules, listeners=listeners)
    if ports:
        columns = (columns[0], replace(columns[1], published=ports))
    return columns, states


def published(columns: Columns, states: States) -> tuple[set[str], dict[str, str]]:
    """The kinds and targets of the paths that exist, and the reasons for the others by kind."""
    kinds = {PathKind.PUBLISHED_DNAT, PathKind.PUBLISHED_PROXY, PathKind.PUBLISHED_ROOTLESS}
    paths = [path for path in find_paths(columns, states) if path.kind in kinds]
    offered = {f"{path.kind} {path.target}" for path in paths if path.address}
    return offered, {str(path.kind): path.unavailable for path in paths if path.unavailable}


PROXIED = {"published-proxy 127.0.0.1:8080", "published-proxy [::1]:8080", "published-proxy [2001:db8::2]:8080"}


def test_a_rule_and_docker_proxy_share_the_addresses() -> None:
    offered, missing = published(*scene(FirewallRules((DOCKER,))))
    assert offered == PROXIED | {"published-dnat 192.0.2.2:8080"}
    assert missing == {}


def test_without_a_rule_docker_proxy_answers_at_every_address() -> None:
    offered, missing = published(*scene(FirewallRules()))
    assert offered == PROXIED | {"published-proxy 192.0.2.2:8080"}
    why = "no nat rule of the machine translates 192.0.2.2:8080: docker-proxy answers there"
    assert missing == {"published-dnat": why}


def test_without_rule_and_proxy_there_is_no_path() -> None:
    columns, states = scene(FirewallRules(), proxy=False)
    dockerd = make_listener(8080, "dockerd")
    states[MACHINE] = replace(states[MACHINE], listeners=(dockerd,))
    offered, missing = published(columns, states)
    assert offered == set()
    assert missing == {
        "published-proxy": "no docker-proxy on the machine's port 8080: dockerd holds the port",
        "published-dnat": "no nat rule of the machine translates 192.0.2.2:8080: dockerd holds the port",
    }


def rootless(process: str, *sockets: Listener, firewall: FirewallRules = NO_RULES) -> tuple[Columns, States]:
    """The scene on a rootless Podman that publishes 8080; a process listens for both families."""
    columns, states = with_rootless_netns(*scene(firewall, proxy=False, ports=make_ports(8080, 80, "0.0.0.0")))
    both = make_listener(8080, process, family=Family.INET6, address="::", v6only=False)
    return columns, {**states, MACHINE: replace(states[MACHINE], listeners=(both, *sockets))}


@pytest.mark.parametrize(
    ("process", "name"), [("rootlessport", "rootlessport"), ("pasta.avx2", "pasta"), ("slirp4netns", "slirp4netns")]
)
def test_the_forwarder_of_a_rootless_podman_answers_at_every_address_of_both_families(process: str, name: str) -> None:
    columns, states = rootless(process)
    program = make_listener(80, family=Family.INET6, address="::", v6only=False)
    states["bridge"] = replace(states["bridge"], listeners=(program,))
    offered, missing = published(columns, states)
    addresses = ("127.0.0.1", "192.0.2.2", "[::1]", "[2001:db8::2]")
    assert offered == {f"published-rootless {address}:8080" for address in addresses}
    assert missing == {
        "published-proxy": f"no docker-proxy on the machine's port 8080: {process} holds the port",
        "published-dnat": f"no nat rule of the machine translates 192.0.2.2:8080: {name} answers there",
    }
    paths = [path for path in find_paths(columns, states) if path.kind is PathKind.PUBLISHED_ROOTLESS]
    assert {path.hops for path in paths} == {("lo", f"{name} :8080 (user space)")}


@pytest.mark.parametrize(("process", "families"), [("rootlessport", 2), ("pasta.avx2", 1)])
def test_pasta_keeps_the_family_of_a_connection_to_a_program_that_listens_on_one(process: str, families: int) -> None:
    columns, states = rootless(process)
    states["bridge"] = replace(states["bridge"], listeners=(make_listener(80, "nginx"),))
    paths = [path for path in find_paths(columns, states) if path.kind is PathKind.PUBLISHED_ROOTLESS]
    assert {path.family for path in paths} == set(list(Family)[:families])


def test_unread_rules_do_not_hide_the_forwarder_of_a_rootless_podman() -> None:
    offered, missing = published(*rootless("rootlessport", firewall=UNREAD))
    assert "published-rootless 192.0.2.2:8080" in offered
    assert missing["published-dnat"].startswith("the machine's nat rules cannot be read")


def test_a_forwarder_that_listens_on_ipv4_only_answers_there() -> None:
    columns, states = rootless("rootlessport")
    states[MACHINE] = replace(states[MACHINE], listeners=(make_listener(8080, "rootlessport"),))
    offered, _ = published(columns, states)
    assert offered == {"published-rootless 127.0.0.1:8080", "published-rootless 192.0.2.2:8080"}


NO_UDP_RULE, NO_UDP_SOCKET = "no nat rule of the machine translates {} over UDP", "no forwarder has a UDP socket there"


@pytest.mark.parametrize(
    ("published_on", "listens", "expected"),
    [
        ("0.0.0.0", "0.0.0.0", {"127.0.0.1": 5353, "192.0.2.2": 5353}),
        ("127.0.0.1", "127.0.0.1", {"127.0.0.1": 5353, "192.0.2.2": 0}),
        ("192.0.2.2", "192.0.2.2", {"127.0.0.1": 0, "192.0.2.2": 5353}),
        ("192.0.2.9", "192.0.2.9", {"127.0.0.1": 0, "192.0.2.2": 0}),
    ],
)
def test_udp_through_docker_proxy_is_offered_where_it_is_published(
    published_on: str, listens: str, expected: dict[str, int]
) -> None:
    udp = PublishedPort(80, "udp", published_on, 5353)
    columns, states = scene(NO_RULES, ports=(*make_ports(8080), udp))
    proxy = make_listener(5353, "docker-proxy", protocol=Protocol.UDP, address=listens)
    states[MACHINE] = replace(states[MACHINE], listeners=(*states[MACHINE].listeners, proxy))
    paths = [path for path in find_paths(columns, states) if path.kind is PathKind.PUBLISHED_PROXY]
    assert {path.address: path.udp_port for path in paths if path.family is Family.INET} == expected
    why = f"port 80/udp is published on {published_on} only"
    assert {probe_problem(path, Probe.UDP_RR) for path in paths if not path.udp_port} == {why}


def test_udp_is_offered_on_the_port_that_leads_to_the_container_at_each_address() -> None:
    ports = (PublishedPort(80, "udp", "127.0.0.1", 5353), PublishedPort(80, "udp", "192.0.2.2", 5354))
    columns, states = scene(NO_RULES, ports=(*make_ports(8080), *ports))
    sockets = (
        make_listener(one.host_port, "docker-proxy", protocol=Protocol.UDP, address=one.host_address) for one in ports
    )
    states[MACHINE] = replace(states[MACHINE], listeners=(*states[MACHINE].listeners, *sockets))
    paths = [path for path in find_paths(columns, states) if path.kind is PathKind.PUBLISHED_PROXY]
    found = {path.address: path.udp_port for path in paths if path.family is Family.INET}
    assert found == {"127.0.0.1": 5353, "192.0.2.2": 5354}


@pytest.mark.parametrize("process", ["rootlessport", "pasta.avx2"])
def test_udp_is_forwarded_over_both_families_where_the_forwarder_listens_on_both(process: str) -> None:
    both = make_listener(5353, process, protocol=Protocol.UDP, family=Family.INET6, address="::", v6only=False)
    columns, states = rootless(process, both)
    program = make_listener(80, family=Family.INET6, address="::", v6only=False)
    states["bridge"] = replace(states["bridge"], listeners=(program,))
    ports = (*columns[1].published, PublishedPort(80, "udp", "0.0.0.0", 5353))
    columns = (columns[0], replace(columns[1], published=ports), *columns[2:])
    paths = [path for path in find_paths(columns, states) if path.kind is PathKind.PUBLISHED_ROOTLESS]
    assert {(path.family, path.udp_port) for path in paths} == {(family, 5353) for family in Family}


@pytest.mark.parametrize(("process", "udp_port"), [("rootlessport", 5353), ("dnsmasq", 0)])
def test_udp_is_forwarded_where_the_forwarder_has_a_socket(process: str, udp_port: int) -> None:
    columns, states = rootless("rootlessport", make_listener(5353, process, protocol=Protocol.UDP))
    ports = (*columns[1].published, PublishedPort(80, "udp", "0.0.0.0", 5353))
    columns = (columns[0], replace(columns[1], published=ports), *columns[2:])
    paths = [path for path in find_paths(columns, states) if path.kind is PathKind.PUBLISHED_ROOTLESS]
    assert {path.udp_port for path in paths if path.family is Family.INET} == {udp_port}
    reasons = {path.target: probe_problem(path, Probe.UDP_RR) for path in paths}
    ends = ("127.0.0.1", "192.0.2.2")
    assert [reasons[f"{end}:8080"] for end in ends] == [
        "" if udp_port else f"{NO_UDP_RULE.format(f'{end}:5353')}, and {NO_UDP_SOCKET}" for end in ends
    ]
    assert reasons["[2001:db8::2]:8080"] == "port 80/udp is published on 0.0.0.0 only"


def test_a_rootless_podman_s_bridge_is_named_with_its_place() -> None:
    columns, states = rootless("rootlessport")
    (path,) = [path for path in find_paths(columns, states) if path.kind is PathKind.BRIDGE_ADDRESS]
    assert path.unavailable == "the bridge docker0 of bridge is in rootless-netns, not on the machine"


def test_a_rule_that_includes_loopback_applies_before_any_listener() -> None:
    everywhere = FirewallRules((replace(DOCKER, excluded=()),))
    offered, missing = published(*scene(everywhere, proxy=False))
    assert offered == {"published-dnat 127.0.0.1:8080", "published-dnat 192.0.2.2:8080"}
    assert "no observed process listens there" in missing["published-proxy"]
    _, missing = published(*scene(everywhere))
    assert missing["published-proxy"] == "a nat rule translates 127.0.0.1:8080 before the kernel looks for a listener"


def test_a_rule_for_one_address_leaves_the_others_to_docker_proxy() -> None:
    offered, _ = published(*scene(FirewallRules((replace(DOCKER, address="192.0.2.9", excluded=()),))))
    assert "published-proxy 192.0.2.2:8080" in offered


def test_translated_packets_over_ipv6_do_not_leave_loopback() -> None:
    columns, states = scene(FirewallRules(), proxy=False)
    rules = [replace(DOCKER, family=Family.INET6, to_address="fd00:17::2", excluded=())]
    states[MACHINE] = replace(states[MACHINE], firewall=FirewallRules(tuple(rules)))
    states["bridge"] = with_inner_ipv6(states["bridge"])
    columns = (columns[0], replace(columns[1], published=make_ports(8080, 80, "::")))
    offered, missing = published(columns, states)
    assert offered == {"published-dnat [2001:db8::2]:8080"}
    assert "IPv6 does not route such a packet from loopback" in missing["published-proxy"]


def with_inner_ipv6(state: NamespaceState) -> NamespaceState:
    eth0 = next(link for link in state.interfaces if link.kind == "veth")
    address = replace(eth0.addresses[0], address="fd00:17::2", prefix=64, family=Family.INET6)
    links = tuple(
        replace(link, addresses=(*link.addresses, address)) if link == eth0 else link for link in state.interfaces
    )
    return replace(state, interfaces=links)


def test_a_rule_that_leads_elsewhere_is_stated() -> None:
    offered, missing = published(*scene(FirewallRules((replace(DOCKER, to_address="10.0.0.9"),))))
    assert "published-dnat 192.0.2.2:8080" not in offered
    assert missing["published-dnat"] == (
        "a nat rule translates 192.0.2.2:8080 to 10.0.0.9:80, which is not an observed address of bridge"
    )


def test_rules_that_cannot_be_read_are_not_guessed() -> None:
    offered, missing = published(*scene(UNREAD))
    assert offered == {"published-proxy 127.0.0.1:8080", "published-proxy [::1]:8080"}
    assert missing["published-dnat"] == "the machine's nat rules cannot be read: iptables-save is not installed"


def test_a_rule_with_a_condition_is_not_offered() -> None:
    offered, missing = published(*scene(FirewallRules((replace(DOCKER, condition="-m owner --uid-owner 0"),))))
    assert not any(" 192.0.2.2:" in path for path in offered)
    assert "has a condition that Netmodes does not evaluate" in missing["published-dnat"]


def test_a_port_on_loopback_and_one_on_another_address_are_both_offered() -> None:
    ports = (*make_ports(8082, 80, "127.0.0.1"), *make_ports(8083, 80, "192.0.2.2"))
    rule = replace(DOCKER, port=8083, address="192.0.2.2", excluded=())
    columns, states = scene(FirewallRules((rule,)), ports=ports)
    proxies = (make_listener(8082, "docker-proxy", address="127.0.0.1"),)
    states[MACHINE] = replace(states[MACHINE], listeners=proxies)
    assert published(columns, states)[0] == {"published-proxy 127.0.0.1:8082", "published-dnat 192.0.2.2:8083"}


def test_a_routed_network_takes_no_port_of_the_machine() -> None:
    routed = (PublishedPort(80, "tcp", "0.0.0.0", 0), PublishedPort(80, "tcp", "::", 0))
    offered, missing = published(*scene(FirewallRules(), ports=routed))
    assert offered == set()
    why = "bridge's network is routed: 80/tcp is open at the container's own address, and no port of the machine leads"
    assert set(missing.values()) == {f"{why} there"}


def test_udp_needs_a_rule_of_its_own() -> None:
    ports = (*make_ports(8080), PublishedPort(80, "udp", "0.0.0.0", 8085))
    for rules, expected in (((DOCKER,), 0), ((DOCKER, replace(DOCKER, protocol=Protocol.UDP, port=8085)), 8085)):
        paths = find_paths(*scene(FirewallRules(rules), ports=ports))
        (path,) = [path for path in paths if path.kind is PathKind.PUBLISHED_DNAT]
        assert path.udp_port == expected
        no_rule = f"{NO_UDP_RULE.format('192.0.2.2:8085')}, and {NO_UDP_SOCKET}"
        assert probe_problem(path, Probe.UDP_RR) == ("" if expected else no_rule)


@pytest.mark.parametrize("isolated", [True, False])
def test_containers_on_an_isolated_bridge_have_no_path_between_them(*, isolated: bool) -> None:
    bridges = (IsolatedBridge(Family.INET, "docker0"),) if isolated else ()
    columns, states = scene(FirewallRules((DOCKER,), bridges))
    second = replace(columns[1], key="second", title="second", networks={"bridge": "172.17.0.3"})
    eth0 = next(link for link in states["bridge"].interfaces if link.kind == "veth")
    other = replace(eth0, addresses=(replace(eth0.addresses[0], address="172.17.0.3"),))
    states["second"] = replace(states["bridge"], netns=states["bridge"].netns + 9, interfaces=(other,))
    path = next(
        path
        for path in find_paths((*columns, second), states)
        if (path.server, path.kind) == ("bridge", PathKind.CONTAINER_TO_CONTAINER)
    )
    why = "a filter rule drops what one container on docker0 sends to another (Docker's option icc=false)"
    assert path.unavailable == (why if isolated else "")


def test_a_bridge_without_an_address_leads_nowhere() -> None:
    columns, states = scene(FirewallRules())
    links = tuple(replace(link, addresses=()) if link.kind == "bridge" else link for link in states[MACHINE].interfaces)
    states[MACHINE] = replace(states[MACHINE], interfaces=links)
    reasons = [path.unavailable for path in find_paths(columns, states) if path.kind is PathKind.BRIDGE_ADDRESS]
    assert reasons == ["the bridge docker0 has no address in the subnet of bridge: the machine has no route to it"]


@pytest.mark.parametrize(
    ("ports", "listeners", "expected"),
    [
        (make_ports(8080), (make_listener(8080, "docker-proxy"),), True),
        (make_ports(8080), (make_listener(9090, "docker-proxy"),), True),  # of another container
        ((), (make_listener(9090, "docker-proxy"),), True),
        (make_ports(8080), (make_listener(8080, "dockerd"),), False),
        (make_ports(8080), (), False),  # Engine 28 with --userland-proxy=false binds, but does not listen
        (make_ports(8080), (make_listener(8080, "conmon"),), None),
        (make_ports(8080), (make_listener(8080, None),), None),
        ((), (), None),
        (make_ports(0), (), None),  # a routed network
        ((PublishedPort(80, "udp", "0.0.0.0", 8080),), (), None),
    ],
)
def test_whether_docker_proxy_is_used_is_proved_by_a_published_port(
    ports: tuple[PublishedPort, ...], listeners: tuple[Listener, ...], expected: bool | None
) -> None:
    columns, states = make_scene(("bridge",))
    columns = tuple(replace(column, published=ports if column.key == "bridge" else ()) for column in columns)
    assert userland_proxy(columns, replace(states[MACHINE], listeners=listeners)) is expected
    assert userland_proxy(columns, None) is None
