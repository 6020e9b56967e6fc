"""Claims of the catalogue: what each concludes from what may be observed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.claims.catalogue import find_claim, linux_kernel, masquerade
from dashboard.core.claims.catalogue.discarded_ports import WARNING
from dashboard.core.claims.engine_facts import DaemonOptions, EngineFacts
from dashboard.core.claims.exchanges import Exchanges
from dashboard.core.claims.testbed import Container, NotTestableError, Response, Timing
from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.namespaces.state import (
    Address,
    Family,
    Interface,
    Listener,
    Lookup,
    NamespaceState,
    Protocol,
    Route,
)
from dashboard.core.reports.model import ClaimVerdict
from tests.core.builders import MACHINE_NETNS, make_interface, make_route, make_state

HOLDS, DIFFERS, NOT_TESTABLE = ClaimVerdict.HOLDS, ClaimVerdict.DIFFERS, ClaimVerdict.NOT_TESTABLE


def container(**more: Any) -> Container:
    return Container("docker run", **more)


def at_address(address: str) -> Container:
    networks = {"bridge": {"IPAddress": address}}
    return container(status="running", inspected={"NetworkSettings": {"Networks": networks}})


def listening(port: int, process: str, family: Family = Family.INET, pid: int = 1) -> Listener:
    return Listener(Protocol.TCP, family, "0.0.0.0", port, pid, process)


def timing(verdict: str, low: float, high: float) -> Timing:
    return Timing("slow", "fast", verdict, "a reason", (low + high) / 2, (low, high), 16.0, 30)


KEPT = {"HostConfig": {"PortBindings": {"80/tcp": [{}]}}, "NetworkSettings": {"Ports": {}}}
WARNED = container(warnings=(WARNING,), inspected=KEPT)
BOTH = NamespaceState(1, listeners=(listening(8103, "docker-proxy"), listening(8103, "docker-proxy", Family.INET6, 2)))
IN_USE = ("bind: Address already in use",)
HOSTS = "127.0.0.1 localhost\n192.0.2.77 database\n"
MIXED = "nameserver 127.0.0.53\nnameserver 192.0.2.53\n"
NETSTAT = "tcp 0 0 0.0.0.0:8080 0.0.0.0:* LISTEN\n"
BYTES = {"eth0": {"rx_bytes": 70}}


@pytest.mark.parametrize(
    ("identity", "observed", "verdict"),
    [
        ("discarded-publish", WARNED, HOLDS),
        ("discarded-publish", replace(WARNED, warnings=()), DIFFERS),
        ("discarded-publish", container(inspected={"NetworkSettings": {"Ports": {"80/tcp": [{}]}}}), DIFFERS),
        ("host-shares-netns", ({"net": 1}, {"net": 1}), HOLDS),
        ("host-shares-netns", ({"net": 1}, {"net": 2}), DIFFERS),
        ("proxy-listens", BOTH, HOLDS),
        ("proxy-listens", replace(BOTH, listeners=BOTH.listeners[:1]), DIFFERS),
        ("proxy-listens", replace(BOTH, listeners=(listening(8103, "dockerd"),)), DIFFERS),
        ("proxy-listens", NamespaceState(1), DIFFERS),
        ("loopback-through-proxy", (3, 3, Response(200, client_seen="10.0.0.1"), "10.0.0.1"), HOLDS),
        ("loopback-through-proxy", (3, 4, Response(200, client_seen="10.0.0.1"), "10.0.0.1"), DIFFERS),
        ("loopback-through-proxy", (3, 3, Response(200, client_seen="10.0.0.9"), "10.0.0.1"), DIFFERS),
        ("loopback-through-proxy", (3, 3, Response(None, error="refused"), "10.0.0.1"), DIFFERS),
        ("host-conflict-exits", (container(status="exited", exit_code=1, logs=IN_USE), False), HOLDS),
        ("host-conflict-exits", (container(status="running"), True), DIFFERS),
        ("host-conflict-exits", (container(status="running"), False), NOT_TESTABLE),
        ("bridge-same-port", (at_address("172.17.0.2"), at_address("172.17.0.3")), HOLDS),
        ("bridge-same-port", (at_address(""), at_address("")), DIFFERS),
        ("bridge-same-port", (at_address("172.17.0.2"), replace(at_address("172.17.0.3"), status="exited")), DIFFERS),
        ("host-conflict-exits", (container(refused="port is allocated", refused_at="start"), False), DIFFERS),
        ("add-host-discards", (HOSTS, "127.0.0.1 localhost\n192.0.2.7 other\n"), HOLDS),
        ("add-host-discards", (HOSTS, HOSTS), DIFFERS),
        ("add-host-discards", (HOSTS, "127.0.0.1 localhost\n"), DIFFERS),
        ("names-on-user-network", (Lookup("web", "answer", ("10.0.0.2",)), "10.0.0.2"), HOLDS),
        ("names-on-user-network", (Lookup("web", "no such name"), "10.0.0.2"), DIFFERS),
        ("stats-counted-twice", (BYTES, BYTES), HOLDS),
        ("stats-counted-twice", (BYTES, {"eth0": {"rx_bytes": 0}}), DIFFERS),
        ("stats-counted-twice", ({}, {}), DIFFERS),
        ("grep-80", (NETSTAT, NamespaceState(1)), HOLDS),
        ("grep-80", ("", NamespaceState(1)), DIFFERS),
        ("grep-80", (NETSTAT, NamespaceState(1, listeners=(listening(80, "nginx"),))), NOT_TESTABLE),
        ("proxy-costs-most", (timing("slower", 20, 30), timing("slower", 2, 4)), HOLDS),
        ("proxy-costs-most", (timing("slower", 3, 30), timing("slower", 2, 4)), DIFFERS),
        ("proxy-costs-most", (Timing("a", "b", "inconclusive", "too few"), timing("slower", 2, 4)), NOT_TESTABLE),
    ],
)
def test_the_verdict_of_a_claim_follows_from_its_observation(
    identity: str, observed: Any, verdict: ClaimVerdict
) -> None:
    result = find_claim(identity).judge(observed)
    assert result.verdict is verdict
    assert result.evidence
    assert all(result.evidence)
    assert bool(result.reason) is (verdict is not HOLDS)


@pytest.mark.parametrize(
    ("identity", "observed", "verdict"),
    [
        ("bridge-costs", timing("slower", 0.5, 2.0), HOLDS),
        ("bridge-costs", timing("same", -0.1, 0.1), DIFFERS),
        ("bridge-costs", timing("inconclusive", -1.0, 3.0), NOT_TESTABLE),
        ("resolv-bridge-stripped", (MIXED, "nameserver 192.0.2.53\n"), HOLDS),
        ("resolv-bridge-stripped", (MIXED, MIXED), DIFFERS),
        ("resolv-host-copy", (MIXED, MIXED), HOLDS),
        ("resolv-host-copy", (MIXED, "nameserver 192.0.2.53\n"), DIFFERS),
        ("resolv-bridge-fallback", ("nameserver 127.0.0.53\n", "nameserver 192.0.2.53\n"), HOLDS),
        ("resolv-bridge-fallback", ("nameserver ::1\n", "nameserver ::1\n"), DIFFERS),
        ("resolv-bridge-fallback", (MIXED, ""), DIFFERS),
        ("range-processes", (20, 25_000), HOLDS),
        ("range-processes", (19, 25_000), DIFFERS),
        ("range-memory", (10, 5 * 1024 + 1), HOLDS),
        ("range-memory", (10, 5 * 1024), DIFFERS),
        ("range-host-mode", (0, 0), HOLDS),
        ("range-host-mode", (2, 100), DIFFERS),
        ("guest-loses-network", ({"net": 1}, {"net": 1}, {"net": 2}, NamespaceState(1)), HOLDS),
        ("guest-loses-network", ({"net": 1}, {"net": 1}, {"net": 1}, NamespaceState(1)), DIFFERS),
        ("guest-loses-network", ({"net": 1}, {"net": 1}, {"net": 2}, make_state(1)), DIFFERS),
        ("guest-restart-heals", ({"net": 2}, {"net": 1}, {"net": 2}, NamespaceState(2)), HOLDS),
        ("guest-restart-heals", ({"net": 1}, {"net": 1}, {"net": 2}, NamespaceState(1)), DIFFERS),
        ("bip-moves-docker0", "10.213.207.2", HOLDS),
        ("bip-moves-docker0", "10.213.208.2", DIFFERS),
        ("pools-move-networks", "", DIFFERS),
        ("pool-avoids-routes", "172.16.0.2", DIFFERS),
        ("pool-avoids-routes", "192.168.0.2", HOLDS),
        ("pool-avoids-routes", "", DIFFERS),
        ("pool-takes-routed", "172.16.0.2", HOLDS),
        ("pool-takes-routed", "192.168.0.2", DIFFERS),
    ],
)
def test_the_observation_decides_about_a_claim_of_a_subject(
    identity: str, observed: Any, verdict: ClaimVerdict
) -> None:
    result = find_claim(identity).judge(observed)
    assert result.verdict is verdict
    assert all(result.evidence)


WITHOUT_PROXY = EngineFacts((28, 5), (1, 51), DaemonOptions(False, True, "nat"))
WITHOUT_IPTABLES = EngineFacts((28, 5), (1, 51), DaemonOptions(True, False, "nat"))
ROUTED = EngineFacts((28, 5), (1, 51), DaemonOptions(True, True, "routed"))
WITH_IPV6 = EngineFacts((28, 5), (1, 51), bridge_ipv6=True)
ENGINE_20_10 = EngineFacts((20, 10), (1, 41))
#: Answers of 20.10.24 and 28.5.2.
MAC_REFUSED = container(refused="conflicting options: mac-address and the network mode", refused_at="create")
ON_PODMAN = EngineFacts((5, 4), (1, 41), kind=EngineKind.PODMAN)
#: An answer of Podman 5.4.2.
PODMAN_REFUSES_MAC = "make cli opts(): networks and static ip/mac address can only be used with Bridge mode networking"
DEFAULT_ROUTE = NamespaceState(1, routes=(Route(Family.INET, "default", "172.18.0.1", "eth0"),))
DROPS = (
    "-A DOCKER-ISOLATION-STAGE-1 ! -s 172.18.0.0/16 -o br-a32598b363b8 -j DROP",
    "-A DOCKER-ISOLATION-STAGE-1 ! -d 172.18.0.0/16 -i br-a32598b363b8 -j DROP",
)
MASQUERADE = "[0:0] -A POSTROUTING -s 172.18.0.0/16 ! -o br-b4c0f6937618 -j MASQUERADE"
REFUSED = Response(None, error="[::1]:8108 refused the connection: nothing listens there.")
OVER_IPV6 = Response(200, client_seen="fd00:db8:1::1", connected=True)
PROXIED = Response(200, client_seen="172.17.0.1", connected=True)
EXCHANGE_PROXIED = Exchanges(responses=(("GET", PROXIED),))
EXCHANGE_REFUSED = Exchanges(responses=(("GET", REFUSED),))
EMPTY = Response(None, error="it closed the connection without an answer", connected=True)
GLOBAL = Address("fd00:db8:1::3", 64, Family.INET6)
IPV6 = NamespaceState(1, interfaces=(Interface("eth0", 2, "veth", addresses=(GLOBAL,)),))
DOCKERD = NamespaceState(1, listeners=(listening(8103, "dockerd"),))


@pytest.mark.parametrize(
    ("identity", "facts", "observed", "verdict", "usual"),
    [
        ("mac-ignored", ENGINE_20_10, (MAC_REFUSED, ()), HOLDS, DIFFERS),
        ("mac-ignored", ON_PODMAN, (container(refused=PODMAN_REFUSES_MAC), ()), HOLDS, DIFFERS),
        ("mac-ignored", ON_PODMAN, (container(refused="no such image"), ()), DIFFERS, DIFFERS),
        ("mac-ignored", ENGINE_20_10, (container(status="running"), ("02:42:00:00:00:01",)), DIFFERS, HOLDS),
        ("hosts-inherited", ON_PODMAN, (HOSTS, "10.88.0.1 host.containers.internal\n"), HOLDS, DIFFERS),
        ("hosts-inherited", ON_PODMAN, (HOSTS, HOSTS), DIFFERS, HOLDS),
        ("hosts-inherited", ON_PODMAN, ("127.0.0.1 localhost\n", ""), DIFFERS, HOLDS),
        ("internal-network", ENGINE_20_10, (DEFAULT_ROUTE, "172.18.0.2", DROPS), HOLDS, DIFFERS),
        ("internal-network", ENGINE_20_10, (DEFAULT_ROUTE, "172.18.0.2", ()), DIFFERS, DIFFERS),
        ("internal-network", ENGINE_20_10, (DEFAULT_ROUTE, "172.19.0.2", DROPS), DIFFERS, DIFFERS),
        ("internal-network", ENGINE_20_10, (NamespaceState(1), "172.18.0.2", ()), DIFFERS, HOLDS),
        ("bridge-without-ipv6", WITH_IPV6, IPV6, HOLDS, DIFFERS),
        ("bridge-without-ipv6", WITH_IPV6, NamespaceState(1), DIFFERS, HOLDS),
        ("published-on-ipv6", WITH_IPV6, (OVER_IPV6, "172.17.0.1", ()), HOLDS, DIFFERS),
        ("published-on-ipv6", WITH_IPV6, (PROXIED, "172.17.0.1", ()), DIFFERS, HOLDS),
        ("published-on-ipv6", WITHOUT_PROXY, (REFUSED, "172.17.0.1", ()), HOLDS, DIFFERS),
        ("published-on-ipv6", WITHOUT_PROXY, (PROXIED, "172.17.0.1", ()), DIFFERS, HOLDS),
        ("proxy-listens", WITHOUT_PROXY, NamespaceState(1), DIFFERS, DIFFERS),
        ("proxy-listens", WITHOUT_PROXY, DOCKERD, HOLDS, DIFFERS),
        ("proxy-listens", WITHOUT_PROXY, BOTH, DIFFERS, HOLDS),
        ("loopback-through-proxy", WITHOUT_PROXY, (0, 1, PROXIED, "172.17.0.1"), HOLDS, DIFFERS),
        ("loopback-through-proxy", WITHOUT_PROXY, (1, 1, PROXIED, "172.17.0.1"), DIFFERS, HOLDS),
        ("loopback-through-proxy", WITHOUT_PROXY, (1, 1, REFUSED, "172.17.0.1"), DIFFERS, DIFFERS),
        ("loopback-inside-is-empty", WITHOUT_PROXY, (REFUSED, NamespaceState(1)), HOLDS, DIFFERS),
        ("loopback-inside-is-empty", WITHOUT_PROXY, (EMPTY, NamespaceState(1)), DIFFERS, HOLDS),
        ("other-address-dnat", WITHOUT_IPTABLES, (0, 0, PROXIED, "172.17.0.1"), HOLDS, DIFFERS),
        ("other-address-dnat", WITHOUT_IPTABLES, (0, 1, PROXIED, "172.17.0.1"), DIFFERS, HOLDS),
        ("other-address-dnat", WITHOUT_IPTABLES, (0, 0, REFUSED, "172.17.0.1"), DIFFERS, DIFFERS),
        ("bridges-apart", WITHOUT_IPTABLES, EXCHANGE_PROXIED, HOLDS, DIFFERS),
        ("bridges-apart", WITHOUT_IPTABLES, EXCHANGE_REFUSED, DIFFERS, HOLDS),
        ("direct-routing", ENGINE_20_10, EXCHANGE_PROXIED, HOLDS, DIFFERS),
        ("direct-routing", ENGINE_20_10, EXCHANGE_REFUSED, DIFFERS, HOLDS),
        ("direct-routing", ROUTED, EXCHANGE_PROXIED, HOLDS, DIFFERS),
        ("direct-routing", WITHOUT_IPTABLES, EXCHANGE_PROXIED, HOLDS, DIFFERS),
        ("masquerade", ROUTED, ("172.18.0.2", ()), HOLDS, DIFFERS),
        ("masquerade", ROUTED, ("172.18.0.2", (MASQUERADE,)), DIFFERS, HOLDS),
    ],
)
def test_an_engine_that_does_as_expected_of_it_does_not_differ(
    identity: str, facts: EngineFacts, observed: Any, verdict: ClaimVerdict, usual: ClaimVerdict
) -> None:
    claim = find_claim(identity)
    expected = claim.on(facts)
    assert expected.statement != claim.statement
    assert expected.condition
    result = expected.judge(observed)
    assert result.verdict is verdict
    assert result.evidence
    assert bool(result.reason) is (verdict is not HOLDS)
    assert claim.on(EngineFacts((28, 5), (1, 51))).judge(observed).verdict is usual


def test_an_expectation_replaces_the_claims_texts_and_mutation() -> None:
    usual, mac_ignored = find_claim("bridge-without-ipv6"), find_claim("mac-ignored")
    expected = usual.on(WITH_IPV6)
    assert (usual.condition, expected.condition) == ("", "with IPv6 on the default bridge")
    assert expected.mutation == {"--network bridge": "--network none"}
    assert mac_ignored.on(ENGINE_20_10).mutation == mac_ignored.mutation
    assert usual.on(EngineFacts()) is usual
    assert (
        masquerade.CLAIM.on(WITHOUT_IPTABLES).not_testable
        == "This Engine runs with iptables=false: it writes no rules."
    )
    assert masquerade.CLAIM.otherwise[0].sentence == "With iptables=false: not testable."


def bridged(bridge: str, **inner: Any) -> tuple[NamespaceState, NamespaceState, str]:
    """A container on the default bridge of a machine whose own eth0 is a veth. As Engine 28 does, each namespace counts
    its links from 1, and a container on another bridge was connected first."""
    elsewhere: dict[str, Any] = {"kind": "veth", "peer": "if2", "peer_netns": 0}
    machine = make_state(
        interfaces=(
            make_interface("eth0", 2, "veth", peer="if2", peer_netns=0, addresses=("192.0.2.2/24",)),
            make_interface(bridge, 3, "bridge", addresses=("172.17.0.1/16",), mtu=1400),
            make_interface("veth1", 7, master="br-other", **elsewhere),
            make_interface("veth2", 9, master=bridge, **elsewhere),
        )
    )
    eth0 = make_interface("eth0", 2, "veth", mtu=1400, **{"peer": "if9", "peer_netns": MACHINE_NETNS} | inner)
    return machine, make_state(7, interfaces=(eth0,), routes=(make_route(gateway="172.17.0.1"),)), bridge


@pytest.mark.parametrize("bridge", ["docker0", "br9"])
def test_the_default_bridge_has_the_name_that_the_engine_gives_it(bridge: str) -> None:
    for claim in map(find_claim, ("bridge-veth", "bridge-mtu", "bridge-gateway")):
        judgement = claim.judge(bridged(bridge))
        assert judgement.verdict is HOLDS, judgement
        assert bridge in " ".join(judgement.evidence)
        machine, inside, _ = bridged(bridge)
        assert claim.judge((machine, inside, "docker1")).verdict is DIFFERS


@pytest.mark.parametrize("inner", [{"peer": "if7"}, {"peer": "if2"}, {"peer_netns": 0}])
def test_a_veth_on_another_bridge_or_to_another_namespace_differs(inner: dict[str, Any]) -> None:
    assert find_claim("bridge-veth").judge(bridged("docker0", **inner)).verdict is DIFFERS


@pytest.mark.parametrize("execution", [(1, "cannot exec"), (0, "")])
async def test_a_command_that_did_not_run_proves_nothing(execution: tuple[int, str]) -> None:
    class Busy:
        async def run(self, line: str) -> Container:
            return Container(line)

        async def execute(self, _place: Container, _command: str) -> tuple[int, str]:
            return execution

    testbed: Any = Busy()
    with pytest.raises(NotTestableError, match="uname did not run"):
        await linux_kernel.observe(testbed)
