"""Facts about sysctls, refused options, shared namespaces and macvlan on a real engine. The name of each test is the
fact."""

from __future__ import annotations

import json
import re

import pytest

from dashboard.core.claims.engine_facts import EngineFacts
from dashboard.engine.hosts.private_host import MACHINE_ADDRESS
from tests.engine.conftest import Run, has_remapped_users
from tests.engine.facts.conftest import client_seen, inside, namespace, page, pid_of
from tests.support import engine_api
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("docker")]


#: The tests of facts that hold on Podman too, by name; of a test with parameters, the cases that hold.
HOLDS_ON_PODMAN = frozenset(
    {
        "test_a_shared_namespace_refuses_what_belongs_to_its_owner[--link]",
        "test_host_mode_refuses_an_address_an_alias_and_a_link[options2-links|link]",
        "test_none_has_loopback_and_nothing_else",
    }
)


def test_bridge_opens_low_ports_and_ping_and_host_mode_keeps_the_machines_settings(
    engine_host: PrivateEngine, run: Run, facts: EngineFacts
) -> None:
    def settings(container: str) -> list[str]:
        names = ("net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range")
        return inside(engine_host, container, "sysctl", "-n", *names).split()

    # In a user namespace the Engine leaves the groups of ping as they are, and those of the default have no id there.
    owned = engine_host.host.owner or facts.rootless_network or has_remapped_users(engine_host)
    assert settings(run("nginx", "sleep", "60")) == ["0", *(["65534", "65534"] if owned else ["0", "2147483647"])]
    machine = engine_host.on_machine(
        "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/net/ipv4/ping_group_range"
    ).split()
    assert machine == ["1024", "1", "0"]
    host_mode = settings(run("--network", "host", "nginx", "sleep", "60"))
    assert host_mode == (["1024", "65534", "65534"] if owned else machine)


def test_a_server_without_root_and_capabilities_binds_port_81_in_bridge_and_not_in_host_mode(
    engine_host: PrivateEngine, run: Run
) -> None:
    plain = ("--user", "1000:1000", "--cap-drop", "ALL", "-e", "NETMODES_PORT=81", "nginx")
    bridge = run(*plain)
    until(lambda: ":81" in inside(engine_host, bridge, "netstat", "-tln"))
    host = run("--network", "host", *plain)
    until(lambda: engine_host.inspect(host, "{{.State.Status}}") == "exited")
    assert "Permission denied" in engine_host.try_docker("logs", host).stderr


def test_none_has_loopback_and_nothing_else(engine_host: PrivateEngine, run: Run) -> None:
    one = run("--network", "none", "nginx", "sleep", "60")
    assert re.findall(r"^\d+: (\S+):", inside(engine_host, one, "ip", "link"), re.MULTILINE) == ["lo"]
    assert inside(engine_host, one, "ip", "route") == ""


@pytest.mark.usefixtures("host_mode")
def test_host_mode_refuses_sysctls_of_the_network_at_start(engine_host: PrivateEngine) -> None:
    words = engine_host.refusal(
        "run", "--name", "refused", "--network", "host", "--sysctl", "net.ipv4.ip_forward=1", "nginx"
    )
    assert "not allowed in host network namespace" in words
    engine_host.docker("rm", "refused")


@pytest.mark.parametrize(
    ("options", "sign"),
    [
        (("--ip", "192.0.2.5"), "user specified IP address is supported|user configured subnets|not supported"),
        (("--network-alias", "alias"), "network-scoped alias"),
        (("--link", "neighbour"), "links|link"),
    ],
)
@pytest.mark.usefixtures("host_mode")
def test_host_mode_refuses_an_address_an_alias_and_a_link(
    engine_host: PrivateEngine, run: Run, options: tuple[str, ...], sign: str
) -> None:
    run("--name", "neighbour", "nginx", "sleep", "60")
    words = engine_host.refusal("run", "--rm", "--network", "host", *options, "nginx", "true")
    assert re.search(sign, words), words


def test_host_mode_accepts_a_mac_address_and_ignores_it(engine_host: PrivateEngine, run: Run) -> None:
    if engine_api.get(engine_host.endpoint, "/version")["ApiVersion"] < "1.44":
        pytest.skip("the docker command refuses --mac-address to an API before 1.44")
    one = run("--network", "host", "--mac-address", "02:42:ac:11:00:99", "nginx", "sleep", "60")
    assert "02:42:ac:11:00:99" not in inside(engine_host, one, "ip", "link")


@pytest.mark.parametrize(
    "options",
    [
        ("-p", "8080:80"),
        ("-P",),
        ("--dns", "192.0.2.53"),
        ("--hostname", "mine"),
        ("--add-host", "a:192.0.2.1"),
        ("--expose", "81"),
        ("--link", "owner"),
    ],
    ids=lambda options: options[0],
)
def test_a_shared_namespace_refuses_what_belongs_to_its_owner(
    engine_host: PrivateEngine, run: Run, options: tuple[str, ...]
) -> None:
    run("--name", "owner", "nginx", "sleep", "60")
    words = engine_host.refusal("create", "--network", "container:owner", *options, "nginx")
    assert re.search("conflicting options|can't be used|only supported", words), words


def test_a_running_container_cannot_be_switched_to_or_from_host_mode(
    engine_host: PrivateEngine, run: Run, own_network: str
) -> None:
    host = run("--network", "host", "nginx", "sleep", "60")
    bridge = run("nginx", "sleep", "60")
    for arguments in ((own_network, host), ("host", bridge)):
        words = engine_host.refusal("network", "connect", *arguments)
        assert re.search("cannot|host network", words), words
    assert "cannot" in engine_host.refusal("network", "disconnect", "host", host)


def network_statistics(host: PrivateEngine, container: str) -> dict[str, dict[str, int]]:
    """The counters of each interface."""
    request = ("curl", "-s", "--unix-socket", host.socket)
    address = f"http://docker/containers/{container}/stats?stream=false&one-shot=true"
    return json.loads(host.on_machine(*request, address)).get("networks") or {}


def test_host_mode_has_no_network_statistics_and_shared_namespaces_have_the_same(
    engine_host: PrivateEngine, run: Run
) -> None:
    owner = run("--name", "owner", "nginx")
    guest = run("--network", "container:owner", "nginx", "sleep", "infinity")
    host = run("--network", "host", "nginx", "sleep", "infinity")
    address = engine_host.inspect(owner, "{{.NetworkSettings.Networks.bridge.IPAddress}}")
    until(lambda: page(engine_host, address))
    until(lambda: network_statistics(engine_host, owner))
    assert not network_statistics(engine_host, host)
    # The counters grow while they are read, so those of the guest are between two readings of the owner's.
    before, shared, after = (network_statistics(engine_host, one) for one in (owner, guest, owner))
    assert before.keys() == shared.keys() == after.keys() == {"eth0"}
    assert before["eth0"]["rx_bytes"] > 0
    for name, value in shared["eth0"].items():
        assert before["eth0"][name] <= value <= after["eth0"][name], name


def test_a_shared_namespace_is_one_namespace_with_one_loopback(engine_host: PrivateEngine, run: Run) -> None:
    owner = run("--name", "owner", "nginx")
    guest = run("--network", "container:owner", "nginx", "sleep", "60")
    assert namespace(pid_of(engine_host, owner), "net") == namespace(pid_of(engine_host, guest), "net")
    fetch = ("exec", guest, "wget", "-qO-", "http://127.0.0.1/")
    until(lambda: engine_host.try_docker(*fetch).returncode == 0)


def test_a_macvlan_container_reaches_its_lan_and_not_its_own_machine(
    engine_host: PrivateEngine, run: Run, facts: EngineFacts
) -> None:
    if facts.rootless_network:
        pytest.skip("eth0 of the machine is not in RootlessKit's namespace")
    lan = ("--subnet", "192.0.2.0/24", "--gateway", "192.0.2.1", "-o", "parent=eth0")
    engine_host.docker("network", "create", "-d", "macvlan", *lan, "on-lan")
    one = engine_host.docker("run", "-d", "--network", "on-lan", "--ip", "192.0.2.50", "nginx", "sleep", "60")
    try:
        assert engine_host.try_docker("exec", one, "ping", "-c1", "-W20", "192.0.2.1").returncode == 0
        assert engine_host.try_docker("exec", one, "ping", "-c1", "-W1", MACHINE_ADDRESS).returncode != 0
    finally:
        engine_host.docker("rm", "-f", one)
        engine_host.docker("network", "rm", "on-lan")


def test_the_machine_and_a_bridge_container_reach_each_other(engine_host: PrivateEngine, run: Run) -> None:
    one = run("nginx")
    address = engine_host.inspect(one, "{{.NetworkSettings.Networks.bridge.IPAddress}}")
    assert client_seen(engine_host, address) == "172.17.0.1"
    # RootlessKit's namespace has another address.
    found = re.search(r" src (\S+)", engine_host.on_machine("ip", "-4", "route", "get", "192.0.2.1"))
    assert found
    assert inside(engine_host, one, "ping", "-c1", "-W20", found[1])
