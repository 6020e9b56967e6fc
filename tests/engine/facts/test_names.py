"""Facts about resolv.conf, names and hosts on a real engine. The name of each test is the fact."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboard.engine.hosts.private_host import MACHINE_ADDRESS
from tests.engine.conftest import Run
from tests.engine.facts.conftest import inside
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("docker")]


#: The tests of facts that hold on Podman too, by name; of a test with parameters, the cases that hold.
HOLDS_ON_PODMAN = frozenset(
    {
        "test_dns_given_by_hand_works_in_host_mode_as_elsewhere[bridge]",
        "test_dns_given_by_hand_works_in_host_mode_as_elsewhere[host]",
        "test_host_mode_has_a_copy_of_the_machines_resolv_conf_loopback_servers_included",
        "test_resolv_conf_is_a_copy_that_a_restart_renews",
        "test_the_default_bridge_and_none_have_the_machines_servers_without_loopback_ones[bridge]",
        "test_where_only_loopback_servers_are_left_the_default_bridge_gets_public_ones",
    }
)


@pytest.fixture
def machine_resolv_conf(engine_host: PrivateEngine) -> Iterator[Callable[[str], None]]:
    """Rewrites the machine's /etc/resolv.conf in place; restores it at the end. RootlessKit has a file of its own."""
    path = Path(f"/proc/{engine_host.pid}/root/etc/resolv.conf")
    before = path.read_text()

    def rewrite(text: str) -> None:
        path.write_text(text)

    yield rewrite
    path.write_text(before)


def servers(host: PrivateEngine, container: str) -> list[str]:
    lines = inside(host, container, "cat", "/etc/resolv.conf").splitlines()
    return [line.split()[1] for line in lines if line.startswith("nameserver")]


MIXED = "nameserver 127.0.0.53\nnameserver 192.0.2.53\nsearch lab.example\noptions edns0\n"


def test_host_mode_has_a_copy_of_the_machines_resolv_conf_loopback_servers_included(
    engine_host: PrivateEngine, run: Run, machine_resolv_conf: Callable[[str], None]
) -> None:
    machine_resolv_conf(MIXED)
    one = run("--network", "host", "nginx", "sleep", "60")
    assert servers(engine_host, one) == ["127.0.0.53", "192.0.2.53"]
    assert "search lab.example" in inside(engine_host, one, "cat", "/etc/resolv.conf")


@pytest.mark.parametrize("network", ["bridge", "none"])
def test_the_default_bridge_and_none_have_the_machines_servers_without_loopback_ones(
    engine_host: PrivateEngine, run: Run, machine_resolv_conf: Callable[[str], None], network: str
) -> None:
    machine_resolv_conf(MIXED)
    one = run("--network", network, "nginx", "sleep", "60")
    assert servers(engine_host, one) == ["192.0.2.53"]


def test_where_only_loopback_servers_are_left_the_default_bridge_gets_public_ones(
    engine_host: PrivateEngine, run: Run, machine_resolv_conf: Callable[[str], None]
) -> None:
    machine_resolv_conf("nameserver 127.0.0.1\n")
    one = run("nginx", "sleep", "60")
    found = servers(engine_host, one)
    assert found
    assert not any(server.startswith("127.") for server in found)


def test_a_user_defined_network_has_dockers_resolver_only(
    engine_host: PrivateEngine, run: Run, machine_resolv_conf: Callable[[str], None], own_network: str
) -> None:
    machine_resolv_conf(MIXED)
    one = run("--network", own_network, "nginx", "sleep", "60")
    assert servers(engine_host, one) == ["127.0.0.11"]
    options = re.search(r"^options (.*)$", inside(engine_host, one, "cat", "/etc/resolv.conf"), re.MULTILINE)
    assert options
    assert "ndots:0" in options[1]


def test_resolv_conf_is_a_copy_that_a_restart_renews(
    engine_host: PrivateEngine, run: Run, machine_resolv_conf: Callable[[str], None]
) -> None:
    machine_resolv_conf("nameserver 192.0.2.53\n")
    one = run("--network", "host", "nginx", "sleep", "60")
    machine_resolv_conf("nameserver 192.0.2.54\n")
    assert servers(engine_host, one) == ["192.0.2.53"]
    engine_host.docker("restart", "-t", "0", one)
    assert servers(engine_host, one) == ["192.0.2.54"]


@pytest.mark.parametrize("network", ["host", "bridge", "none"])
def test_dns_given_by_hand_works_in_host_mode_as_elsewhere(engine_host: PrivateEngine, run: Run, network: str) -> None:
    one = run("--network", network, "--dns", "192.0.2.99", "nginx", "sleep", "60")
    assert servers(engine_host, one) == ["192.0.2.99"]


def test_dockers_resolver_listens_on_chosen_ports_behind_nat_from_53(
    engine_host: PrivateEngine, run: Run, own_network: str
) -> None:
    one = run("--network", own_network, "nginx", "sleep", "60")
    enter = ("nsenter", "-t", engine_host.inspect(one, "{{.State.Pid}}"), "--net")
    sockets = engine_host.on_machine(*enter, "ss", "-Hltun", "src 127.0.0.11")
    ports = {line.split()[4].rpartition(":")[2] for line in sockets.splitlines()}
    assert len(ports) == 2
    assert "53" not in ports
    rules = engine_host.on_machine(*enter, "iptables-save", "-t", "nat")
    assert all(f"--to-destination 127.0.0.11:{port}" in rules for port in ports)
    assert "--dport 53" in rules


def test_names_of_containers_resolve_on_user_defined_networks_only(
    engine_host: PrivateEngine, run: Run, own_network: str
) -> None:
    run("--name", "server-own", "--network", own_network, "nginx")
    run("--name", "server-bridge", "nginx")
    fetch = ("wget", "-qO-", "-T", "3")
    on_own = run("--network", own_network, "nginx", "sleep", "60")
    until(lambda: engine_host.try_docker("exec", on_own, *fetch, "http://server-own/").returncode == 0)
    for network in ("bridge", "host"):
        one = run("--network", network, "nginx", "sleep", "60")
        done = engine_host.try_docker("exec", one, *fetch, "http://server-bridge/")
        assert "bad address" in done.stderr


def test_host_mode_inherits_the_machines_hosts_file_and_an_added_host_discards_it(
    engine_host: PrivateEngine, run: Run
) -> None:
    entry = f"{MACHINE_ADDRESS}\t{engine_host.host.name}"
    assert entry in engine_host.on_machine("cat", "/etc/hosts")
    inherits = run("--network", "host", "nginx", "sleep", "60")
    adds = run("--network", "host", "--add-host", "other:192.0.2.7", "nginx", "sleep", "60")
    assert entry in inside(engine_host, inherits, "cat", "/etc/hosts")
    discarded = inside(engine_host, adds, "cat", "/etc/hosts")
    assert entry not in discarded
    assert "192.0.2.7\tother" in discarded


@pytest.mark.parametrize("network", ["host", "bridge"])
def test_host_gateway_is_the_default_bridges_address_in_host_mode_too(
    engine_host: PrivateEngine, run: Run, network: str
) -> None:
    one = run("--network", network, "--add-host", "host.docker.internal:host-gateway", "nginx", "sleep", "60")
    assert "172.17.0.1\thost.docker.internal" in inside(engine_host, one, "cat", "/etc/hosts")
