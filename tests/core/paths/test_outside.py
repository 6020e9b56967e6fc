"""Paths from another machine on the LAN, and from a container to its own published port."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.messages import PublishedPort
from dashboard.core.measurements.measurement import Probe
from dashboard.core.measurements.schedule import probe_problem
from dashboard.core.modes import NEIGHBOUR, OTHER_CONTAINER, OTHER_HOST, OUTSIDE
from dashboard.core.namespaces.state import ClosedBridge, DirectDrop, Family, FirewallRules, Protocol
from dashboard.core.paths.finder import find_paths, measured_paths, resolver_paths
from dashboard.core.paths.model import FILTERED_KINDS, Path, PathKind
from dashboard.core.paths.outside import NEIGHBOUR_PORT, UDP_FROM_BRIDGE, leads_to_program
from dashboard.core.paths.requests import request_key, requested_paths
from tests.core.builders import MACHINE, Columns, States, make_listener, make_ports, with_column
from tests.core.scenes import make_scene, with_neighbour, with_other_host


def outside(columns: Columns, states: States) -> list[Path]:
    """The paths that begin outside the machine's network stack."""
    return [path for path in find_paths(columns, states) if path.kind in FILTERED_KINDS]


def test_without_a_neighbour_there_are_no_such_paths() -> None:
    assert outside(*make_scene(("host", "bridge"))) == []


def test_the_neighbour_reaches_host_mode_at_the_machines_address() -> None:
    paths = outside(*with_neighbour(*make_scene(("host",))))
    assert [(path.client, path.server, path.target, path.hops) for path in paths] == [
        (NEIGHBOUR, "host", "192.0.2.2:80", ("eth0 (LAN)",)),
        (NEIGHBOUR, "host", "[2001:db8::2]:80", ("eth0 (LAN)",)),
    ]


def test_the_neighbour_reaches_a_bridge_where_it_is_published_and_where_it_has_a_route() -> None:
    paths = {(path.kind, path.family): path for path in outside(*with_neighbour(*make_scene(("bridge",))))}
    inner = ("docker0", "veth000001f", "eth0")
    published = paths[PathKind.LAN_PUBLISHED, Family.INET]
    assert (published.target, published.server_port, published.fixed) == ("192.0.2.2:8080", 80, True)
    assert published.hops == ("eth0 (LAN)", "DNAT 192.0.2.2:8080 → 172.17.0.2:80", *inner)
    assert paths[PathKind.LAN_PUBLISHED, Family.INET6].hops[:2] == ("eth0 (LAN)", "docker-proxy :8080 (user space)")
    own = paths[PathKind.LAN_CONTAINER, Family.INET]
    assert (own.target, own.hops) == ("172.17.0.2:80", ("eth0 (LAN)", *inner))
    hairpin = paths[PathKind.HAIRPIN, Family.INET]
    assert (hairpin.client, hairpin.server, hairpin.target) == ("bridge", "bridge", "192.0.2.2:8080")
    # Where docker-proxy runs, Docker's DNAT rule excludes packets from the bridge itself.
    assert hairpin.hops == ("eth0", "docker0", "docker-proxy :8080 (user space)", *inner)
    assert (PathKind.HAIRPIN, Family.INET6) not in paths


@pytest.mark.parametrize(
    ("interfaces", "offered"), [(("docker0",), False), (("docker0", "eth0"), True), (("docker0", "eth+"), True)]
)
def test_a_container_s_own_address_is_offered_where_no_rule_drops_what_arrives_from_the_lan(
    interfaces: tuple[str, ...], offered: bool
) -> None:
    columns, states = with_neighbour(*make_scene(("bridge",)))
    drops = (DirectDrop(Family.INET, "172.17.0.2", interfaces), DirectDrop(Family.INET, "172.17.0.9"))
    states = {**states, MACHINE: replace(states[MACHINE], firewall=FirewallRules(direct_drops=drops))}
    (path,) = [path for path in outside(columns, states) if path.kind is PathKind.LAN_CONTAINER]
    assert bool(path.address) is offered
    if not offered:
        assert path.unavailable.startswith("a rule of the machine drops packets for 172.17.0.2 that arrive on eth0")
        assert "trusted_host_interfaces" in path.unavailable


@pytest.mark.parametrize("published", [True, False])
def test_a_container_s_own_address_is_offered_on_a_published_port_where_the_filter_closes_the_others(
    published: bool,
) -> None:
    columns, states = with_neighbour(*make_scene(("bridge",)))
    if not published:
        columns = with_column(columns, "bridge", published=())
    rules = FirewallRules(closed_bridges=(ClosedBridge(Family.INET, "docker0", ("eth7", "br+")),))
    states = {**states, MACHINE: replace(states[MACHINE], firewall=rules)}
    (path,) = [path for path in outside(columns, states) if path.kind is PathKind.LAN_CONTAINER]
    dropped = "a filter rule drops requests from eth0 to docker0, and 80/tcp is not published"
    assert (bool(path.address), path.unavailable) == (published, "" if published else dropped)


@pytest.mark.parametrize("link", ["eth0", "eth+"])
def test_a_container_s_own_address_is_offered_where_the_filter_may_accept_what_arrives_on_the_lan_s_link(
    link: str,
) -> None:
    columns, states = with_neighbour(*make_scene(("bridge",)))
    columns = with_column(columns, "bridge", published=())
    rules = FirewallRules(closed_bridges=(ClosedBridge(Family.INET, "docker0", ("eth7", link)),))
    states = {**states, MACHINE: replace(states[MACHINE], firewall=rules)}
    (path,) = [path for path in outside(columns, states) if path.kind is PathKind.LAN_CONTAINER]
    assert path.target == "172.17.0.2:80"


def test_udp_from_the_lan_needs_a_rule_or_a_socket_that_leads_to_the_container() -> None:
    columns, states = with_neighbour(*make_scene(("bridge",)))
    udp = PublishedPort(80, "udp", "0.0.0.0", 8080)
    columns = with_column(columns, "bridge", published=(*make_ports(8080), udp))
    kinds = (PathKind.LAN_PUBLISHED, PathKind.HAIRPIN)
    no_rule = "no nat rule of the machine translates 192.0.2.2:8080 over UDP, and no forwarder has a UDP socket there"
    for process, why in (("dockerd", (no_rule, no_rule)), ("docker-proxy", ("", UDP_FROM_BRIDGE))):
        listeners = (*states[MACHINE].listeners, make_listener(8080, process, protocol=Protocol.UDP))
        machine = replace(states[MACHINE], listeners=listeners, firewall=FirewallRules())
        found = outside(columns, {**states, MACHINE: machine})
        paths = {path.kind: path for path in found if path.family is Family.INET}
        assert tuple(probe_problem(paths[kind], Probe.UDP_RR) for kind in kinds) == why


def test_without_docker_proxy_a_container_reaches_its_own_published_port_through_dnat() -> None:
    columns, states = with_neighbour(*make_scene(("bridge",)))
    machine = states[MACHINE]
    listeners = tuple(one for one in machine.listeners if one.process != "docker-proxy")
    states = {**states, MACHINE: replace(machine, listeners=listeners)}
    (hairpin,) = [path for path in outside(columns, states) if path.kind is PathKind.HAIRPIN]
    assert hairpin.hops[:3] == ("eth0", "docker0", "DNAT 192.0.2.2:8080 → 172.17.0.2:80")
    assert leads_to_program(hairpin)


def test_a_published_port_that_only_dockerd_holds_leads_nowhere() -> None:
    columns, states = with_neighbour(*make_scene(("bridge",)))
    held = tuple(replace(one, process="dockerd") for one in states[MACHINE].listeners)
    machine = replace(states[MACHINE], listeners=held, firewall=FirewallRules())
    paths = {path.kind: path for path in outside(columns, {**states, MACHINE: machine}) if path.family is Family.INET}
    assert not leads_to_program(paths[PathKind.HAIRPIN])
    assert not leads_to_program(paths[PathKind.LAN_PUBLISHED])
    assert leads_to_program(paths[PathKind.LAN_CONTAINER])


@pytest.mark.parametrize("holder", ["conmon", "podman"])
def test_on_podman_no_path_from_a_container_to_itself_is_assumed(holder: str) -> None:
    columns, states = with_neighbour(*make_scene(("bridge",)))
    held = tuple(replace(one, process=holder) for one in states[MACHINE].listeners)
    found = outside(columns, {**states, MACHINE: replace(states[MACHINE], listeners=held)})
    (hairpin,) = [path for path in found if path.kind is PathKind.HAIRPIN]
    assert "hairpin mode" in hairpin.unavailable
    published = next(path for path in found if path.kind is PathKind.LAN_PUBLISHED)
    assert published.hops[1] == "DNAT 192.0.2.2:8080 → 172.17.0.2:80"


def test_without_a_route_through_the_machine_the_container_itself_is_out_of_reach() -> None:
    columns, states = with_neighbour(*make_scene(("bridge",)), "10.0.0.0/8")
    (path,) = [path for path in outside(columns, states) if path.kind is PathKind.LAN_CONTAINER]
    assert path.unavailable == "the neighbour has no route to 172.17.0.2 through the machine"


def test_a_port_published_on_loopback_is_requested_and_not_measured() -> None:
    columns, states = with_neighbour(*make_scene(("bridge",)))
    columns = with_column(columns, "bridge", published=(PublishedPort(80, "tcp", "127.0.0.1", 8080),))
    machine = states[MACHINE]
    listeners = tuple(replace(one, address="127.0.0.1") for one in machine.listeners if one.family is Family.INET)
    states = {**states, MACHINE: replace(machine, listeners=listeners)}
    kinds = [path.kind for path in outside(columns, states) if path.address]
    assert kinds == [PathKind.LAN_PUBLISHED, PathKind.LAN_CONTAINER]
    (path,) = [path for path in requested_paths(columns, states) if path.kind is PathKind.LAN_PUBLISHED]
    assert path.title.endswith(", published on loopback only")
    assert all(path.kind is not PathKind.LAN_PUBLISHED for path in measured_paths(columns, states) if path.address)


def test_a_port_that_is_not_published_has_a_reason() -> None:
    columns, states = with_neighbour(*make_scene(("bridge",), publish=None))
    (path,) = [path for path in outside(columns, states) if path.kind is PathKind.LAN_PUBLISHED]
    assert path.unavailable == "bridge publishes no port for 80/tcp"
    columns = with_column(columns, "bridge", published=make_ports(8080, 443))
    assert next(path.unavailable for path in outside(columns, states)) == "bridge publishes no port for 80/tcp"


def test_each_family_is_requested_and_only_ipv4_is_measured() -> None:
    scene = with_neighbour(*make_scene(("host", "bridge")))
    requested = [path.target for path in requested_paths(*scene) if path.client == NEIGHBOUR]
    assert requested == [
        *("192.0.2.2:80", "[2001:db8::2]:80"),
        *("192.0.2.2:8081", "[2001:db8::2]:8081", "172.17.0.2:80"),
    ]
    measured = {path.key for path in measured_paths(*scene) if path.kind in FILTERED_KINDS}
    assert measured == {"host/lan-address", "bridge/lan-published", "bridge/lan-container", "bridge/hairpin"}
    (own,) = [path for path in measured_paths(*scene) if path.kind is PathKind.LAN_CONTAINER]
    assert (own.target, own.server_port, own.fixed) == ("172.17.0.2:80", 80, True), "rules accept published ports only"


def test_the_neighbour_has_no_resolver_to_measure() -> None:
    columns, states = with_neighbour(*make_scene(("host",)))
    assert {path.server for path in resolver_paths(columns, states)} == {MACHINE, "host"}


def test_a_port_that_is_published_without_a_common_lan_is_not_called_unpublished() -> None:
    columns, states = with_neighbour(*make_scene(("bridge",)))
    states[NEIGHBOUR] = replace(states[NEIGHBOUR], interfaces=())
    assert [path.kind for path in outside(columns, states)] == []


def test_another_host_reaches_what_the_lan_reaches_and_not_the_subnet_that_it_has_itself() -> None:
    columns, states = with_other_host(*make_scene(("host", "bridge")))
    paths = {(path.kind, path.family): path for path in outside(columns, states) if path.client == OTHER_HOST}
    assert paths[PathKind.PEER_ADDRESS, Family.INET].target == "192.0.2.2:80"
    assert paths[PathKind.PEER_ADDRESS, Family.INET6].target == "[2001:db8::2]:80"
    # Both machines have a docker0 with the same address: only the link to the LAN counts.
    assert paths[PathKind.PEER_PUBLISHED, Family.INET].target == "192.0.2.2:8081"
    own = paths[PathKind.PEER_CONTAINER, Family.INET]
    assert own.unavailable == (
        "172.17.0.2 is in a subnet of the other host itself: the request would reach a container there"
    )


def test_a_route_on_the_other_host_leads_to_a_container_with_another_subnet() -> None:
    columns, states = make_scene(("user-bridge",))
    without_route, with_route = (
        [path for path in outside(*with_other_host(columns, states, *routes)) if path.kind is PathKind.PEER_CONTAINER]
        for routes in ((), ("172.18.0.0/16",))
    )
    assert without_route[0].unavailable == "the other host has no route to 172.18.0.2 through the machine"
    assert with_route[0].target == "172.18.0.2:80"


def test_a_container_on_the_other_host_uses_the_families_that_it_has() -> None:
    columns, states = with_other_host(*make_scene(("host", "bridge")))
    paths = [path for path in outside(columns, states) if path.client == OTHER_CONTAINER]
    assert {path.family for path in paths} == {Family.INET}
    assert {path.kind for path in paths if path.address} == {PathKind.REMOTE_ADDRESS, PathKind.REMOTE_PUBLISHED}
    measured = {path.kind for path in measured_paths(columns, states) if path.client == OTHER_CONTAINER}
    assert measured == {PathKind.REMOTE_ADDRESS, PathKind.REMOTE_PUBLISHED}
    keys = [request_key(path) for path in requested_paths(columns, states) if path.address]
    assert len(keys) == len(set(keys))


def test_a_network_that_spans_both_hosts_leads_to_the_container_by_name() -> None:
    columns, states = with_other_host(*make_scene(("user-bridge",)))
    columns = with_column(columns, "user-bridge", networks={"span": "172.18.0.2"})
    (path,) = [path for path in outside(columns, states) if path.kind is PathKind.REMOTE_OVERLAY]
    assert (path.client, path.target) == (OTHER_CONTAINER, "172.18.0.2:80")
    assert path.hops == ("eth1", "VXLAN of span", "eth0")
    assert path.host_name
    columns = with_column(columns, "user-bridge", networks={"apart": "172.18.0.2"})
    assert all(path.kind is not PathKind.REMOTE_OVERLAY for path in outside(columns, states))


def test_the_other_host_is_not_compared_and_has_no_resolver_path() -> None:
    columns, states = make_scene(("host", "bridge"))
    before = {(row.section, row.key, row.field): row.relation for row in compare(columns, states)}
    columns, states = with_other_host(columns, states)
    after = {(row.section, row.key, row.field): row.relation for row in compare(columns, states)}
    assert after == before
    assert {path.client for path in resolver_paths(columns, states)}.isdisjoint(OUTSIDE)


def test_each_container_requests_the_neighbours_server_to_show_its_source_address() -> None:
    columns, states = with_neighbour(*make_scene(("host", "bridge", "none")))
    assert all(path.kind is not PathKind.TO_LAN for path in find_paths(columns, states)), "it has no server"
    serving = replace(states[NEIGHBOUR], listeners=(replace(states[MACHINE].listeners[0], port=NEIGHBOUR_PORT),))
    requested = requested_paths(columns, {**states, NEIGHBOUR: serving})
    paths = [path for path in requested if path.kind is PathKind.TO_LAN]
    assert [(path.client, path.target) for path in paths if path.address] == [
        ("host", "192.0.2.10:80"),
        ("host", "[2001:db8::10]:80"),
        ("bridge", "192.0.2.10:80"),
    ]
    assert [path.unavailable for path in paths if not path.address] == [
        "none has loopback only: nothing leads to the LAN"
    ]
    assert len({request_key(path) for path in paths}) == len(paths)
