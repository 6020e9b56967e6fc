"""Facts about Docker's network modes, tested on a real engine. The name of each test is the fact.

With other options of the daemon some facts are different, as the expectations of the claims say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboard.core.claims.engine_facts import EngineFacts
from dashboard.engine.hosts.private_host import MACHINE_ADDRESS
from tests.engine.conftest import has_remapped_users
from tests.support import engine_api
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("docker")]

#: The facts that hold on Podman too, by the name of the test; of one with parameters those that hold.
HOLDS_ON_PODMAN = frozenset(
    {
        "test_a_program_in_bridge_mode_listens_in_its_own_namespace_only",
        "test_a_service_on_the_machines_loopback_is_reached_from_host_mode_and_not_from_bridge",
        "test_a_shared_namespace_refuses_what_belongs_to_its_owner[--link]",
        "test_dns_given_by_hand_works_in_host_mode_as_elsewhere[bridge]",
        "test_dns_given_by_hand_works_in_host_mode_as_elsewhere[host]",
        "test_grep_for_port_80_finds_port_8080_too_and_a_filter_of_ss_does_not",
        "test_host_mode_copies_the_machines_name_and_may_have_its_own",
        "test_host_mode_has_a_copy_of_the_machines_resolv_conf_loopback_servers_included",
        "test_host_mode_refuses_an_address_an_alias_and_a_link[options2-links|link]",
        "test_in_host_mode_the_program_itself_listens_on_the_machine",
        "test_none_has_loopback_and_nothing_else",
        "test_publishing_all_ports_in_host_mode_is_ignored_without_a_warning",
        "test_resolv_conf_is_a_copy_that_a_restart_renews",
        "test_rm_removes_the_container_at_stop_and_its_port_is_free_at_once",
        "test_the_default_bridge_and_none_have_the_machines_servers_without_loopback_ones[bridge]",
        "test_unix_sockets_of_the_machines_namespace_are_listed_in_host_mode_only",
        "test_where_only_loopback_servers_are_left_the_default_bridge_gets_public_ones",
    }
)

Run = Callable[..., str]


def namespace(pid: int | str, kind: str) -> str:
    return str(Path(f"/proc/{pid}/ns/{kind}").readlink())


def pid_of(host: PrivateEngine, container: str) -> int:
    return host.container_pid(container)


def inside(host: PrivateEngine, container: str, *command: str) -> str:
    return host.docker("exec", container, *command)


def page(host: PrivateEngine, address: str) -> str:
    """Headers and body of the lab page, fetched on the machine; empty while no server answers."""
    return host.on_machine("curl", "-si", "--max-time", "5", f"http://{address}/")


def client_seen(host: PrivateEngine, address: str) -> str:
    """The client's address as the server saw it."""
    answer = until(lambda: page(host, address))
    found = re.search(r"X-Client-Address: (\S+)", answer)
    assert found, answer
    return found[1]


@pytest.fixture
def machine_resolv_conf(engine_host: PrivateEngine) -> Iterator[Callable[[str], None]]:
    """Rewrites the machine's /etc/resolv.conf in place; restores it at the end. RootlessKit has a file of its own."""
    path = Path(f"/proc/{engine_host.pid}/root/etc/resolv.conf")
    before = path.read_text()

    def rewrite(text: str) -> None:
        path.write_text(text)

    yield rewrite
    path.write_text(before)


@pytest.fixture
def own_network(engine_host: PrivateEngine) -> Iterator[str]:
    engine_host.docker("network", "create", "own")
    yield "own"
    for one in engine_host.docker("ps", "-aq", "--filter", "network=own").split():
        engine_host.docker("rm", "-f", one)
    engine_host.docker("network", "rm", "own")


# -- host mode ---------------------------------------------------------------------------------


def test_host_mode_is_the_machines_network_namespace_and_every_other_namespace_is_its_own(
    engine_host: PrivateEngine, run: Run
) -> None:
    neighbour = run("nginx")
    one = run("--network", "host", "nginx", "sleep", "60")
    pid = pid_of(engine_host, one)
    assert namespace(pid, "net") == namespace(engine_host.pid, "net")
    for kind in ("mnt", "pid", "ipc", "uts"):
        assert namespace(pid, kind) != namespace(engine_host.pid, kind)
    assert engine_host.inspect(one, "{{.NetworkSettings.SandboxKey}}").endswith("/netns/default")
    assert engine_host.inspect(one, "{{.NetworkSettings.Networks.host.IPAddress}}") in {"", "invalid IP"}
    links = inside(engine_host, one, "ip", "-o", "link")
    assert "docker0" in links
    assert "veth" in links
    assert pid_of(engine_host, neighbour) != pid


def test_host_mode_sees_the_bridge_of_every_network(engine_host: PrivateEngine, run: Run, own_network: str) -> None:
    identity = engine_host.docker("network", "inspect", "--format", "{{.Id}}", own_network)
    one = run("--network", "host", "nginx", "sleep", "60")
    assert f"br-{identity[:12]}" in inside(engine_host, one, "ip", "-o", "link")


def test_host_mode_copies_the_machines_name_and_may_have_its_own(engine_host: PrivateEngine, run: Run) -> None:
    copied = run("--network", "host", "nginx", "sleep", "60")
    named = run("--network", "host", "--hostname", "mine", "nginx", "sleep", "60")
    assert inside(engine_host, copied, "hostname") == engine_host.host.name
    assert inside(engine_host, named, "hostname") == "mine"
    assert engine_host.on_machine("cat", "/proc/sys/kernel/hostname").strip() == engine_host.host.name


def test_only_uts_host_shares_the_name_and_then_a_hostname_is_refused(engine_host: PrivateEngine, run: Run) -> None:
    one = run("--network", "host", "--uts", "host", "nginx", "sleep", "60")
    assert namespace(pid_of(engine_host, one), "uts") == namespace(engine_host.pid, "uts")
    words = engine_host.refusal("create", "--uts", "host", "--hostname", "mine", "nginx")
    assert "conflicting options: hostname and the UTS mode" in words


@pytest.mark.usefixtures("host_mode")
def test_a_port_published_in_host_mode_is_discarded_with_a_warning_and_kept_in_the_configuration(
    engine_host: PrivateEngine,
) -> None:
    done = engine_host.try_docker("create", "--network", "host", "-p", "8080:80", "nginx")
    one = done.stdout.strip()
    assert "Published ports are discarded when using host network mode" in done.stderr
    engine_host.docker("start", one)
    assert json.loads(engine_host.inspect(one, "{{json .HostConfig.PortBindings}}")) == {
        "80/tcp": [{"HostIp": "", "HostPort": "8080"}]
    }
    assert json.loads(engine_host.inspect(one, "{{json .NetworkSettings.Ports}}")) == {}
    assert "discarded" not in engine_host.docker("inspect", one)
    engine_host.docker("rm", "-f", one)


@pytest.mark.usefixtures("host_mode")
def test_publishing_all_ports_in_host_mode_is_ignored_without_a_warning(engine_host: PrivateEngine) -> None:
    done = engine_host.try_docker("create", "--network", "host", "-P", "nginx")
    assert done.returncode == 0
    assert done.stderr.strip() == ""
    engine_host.docker("rm", done.stdout.strip())


def test_two_servers_on_one_port_in_host_mode_start_and_the_second_exits(engine_host: PrivateEngine, run: Run) -> None:
    run("--network", "host", "nginx")
    until(lambda: page(engine_host, "127.0.0.1"))
    second = run("--network", "host", "nginx")
    until(lambda: engine_host.inspect(second, "{{.State.Status}}") == "exited")
    assert engine_host.inspect(second, "{{.State.ExitCode}}") == "1"
    assert "Address already in use" in engine_host.try_docker("logs", second).stderr


def test_two_containers_on_one_published_port_and_the_engine_refuses_the_second(
    engine_host: PrivateEngine, run: Run
) -> None:
    run("-p", "8080:80", "nginx")
    words = engine_host.refusal("run", "-d", "--name", "second", "-p", "8080:80", "nginx")
    assert "port is already allocated" in words
    assert engine_host.inspect("second", "{{.State.Status}}") == "created"
    engine_host.docker("rm", "second")


def test_a_service_on_the_machines_loopback_is_reached_from_host_mode_and_not_from_bridge(
    engine_host: PrivateEngine, run: Run
) -> None:
    run("--network", "host", "-e", "NETMODES_ADDRESS=127.0.0.1", "-e", "NETMODES_PORT=8099", "nginx")
    until(lambda: page(engine_host, "127.0.0.1:8099"))
    same = run("--network", "host", "nginx", "sleep", "60")
    other = run("nginx", "sleep", "60")
    fetch = ("wget", "-qO-", "-T", "2")
    assert "<!doctype html>" in inside(engine_host, same, *fetch, "http://127.0.0.1:8099/")
    for address in ("127.0.0.1", "172.17.0.1", MACHINE_ADDRESS):
        assert engine_host.try_docker("exec", other, *fetch, f"http://{address}:8099/").returncode != 0


def test_unix_sockets_of_the_machines_namespace_are_listed_in_host_mode_only(
    engine_host: PrivateEngine, run: Run
) -> None:
    same = run("--network", "host", "nginx", "sleep", "60")
    other = run("nginx", "sleep", "60")
    assert engine_host.socket in inside(engine_host, same, "cat", "/proc/net/unix")
    assert engine_host.socket not in inside(engine_host, other, "cat", "/proc/net/unix")


@pytest.mark.usefixtures("host_mode")
def test_rm_removes_the_container_at_stop_and_its_port_is_free_at_once(engine_host: PrivateEngine, run: Run) -> None:
    gone = engine_host.docker("run", "--rm", "-d", "--network", "host", "nginx")
    until(lambda: page(engine_host, "127.0.0.1"))
    engine_host.docker("stop", gone)
    until(lambda: gone[:12] not in engine_host.docker("ps", "-aq").split())
    run("--network", "host", "nginx")
    until(lambda: page(engine_host, "127.0.0.1"))


# -- ports -------------------------------------------------------------------------------------


def test_in_host_mode_the_program_itself_listens_on_the_machine(engine_host: PrivateEngine, run: Run) -> None:
    run("--network", "host", "nginx")
    until(lambda: page(engine_host, "127.0.0.1"))
    assert '"nginx"' in engine_host.on_machine("ss", "-Hltnp", "sport = :80")


def test_a_published_port_is_listened_on_by_one_docker_proxy_per_family(
    engine_host: PrivateEngine, run: Run, facts: EngineFacts
) -> None:
    run("-p", "8080:80", "nginx")
    lines = engine_host.on_machine("ss", "-Hltnp", "sport = :8080").splitlines()
    addresses = sorted(line.split()[3] for line in lines)
    if facts.options.userland_proxy:
        # RootlessKit connects over loopback, and publishes there only.
        loopback_only = facts.rootless_network == "slirp4netns"
        assert addresses == (["127.0.0.1:8080", "[::1]:8080"] if loopback_only else ["0.0.0.0:8080", "[::]:8080"])
        assert len({re.search(r"docker-proxy\",pid=(\d+)", line)[1] for line in lines}) == 2  # type: ignore[index]
    else:
        assert addresses == ["0.0.0.0:8080"]
        assert '"dockerd"' in lines[0]


def test_a_program_in_bridge_mode_listens_in_its_own_namespace_only(engine_host: PrivateEngine, run: Run) -> None:
    one = run("nginx")
    until(lambda: ":80" in inside(engine_host, one, "netstat", "-tln"))
    assert engine_host.on_machine("ss", "-Hltn", "sport = :80") == ""


def test_grep_for_port_80_finds_port_8080_too_and_a_filter_of_ss_does_not(engine_host: PrivateEngine, run: Run) -> None:
    run("-p", "8080:80", "nginx")
    assert ":80" in engine_host.on_machine("ss", "-Hltn")
    assert engine_host.on_machine("ss", "-Hltn", "sport = :80") == ""


def dnat_packets(host: PrivateEngine) -> int:
    rules = host.on_machine("iptables", "-t", "nat", "-L", "DOCKER", "-v", "-n", "-x")
    return sum(int(line.split()[0]) for line in rules.splitlines() if "DNAT" in line)


@pytest.fixture
def machine_publishes(facts: EngineFacts) -> EngineFacts:
    """``facts`` of an engine that publishes ports at the machine's address; others skip the test."""
    if facts.rootless_network:
        pytest.skip("the machine's address is not in RootlessKit's namespace")
    return facts


def test_loopback_goes_through_docker_proxy_and_every_other_local_address_is_dnated(
    engine_host: PrivateEngine, run: Run, machine_publishes: EngineFacts
) -> None:
    options = machine_publishes.options
    run("-p", "8080:80", "nginx")
    until(lambda: page(engine_host, f"{MACHINE_ADDRESS}:8080"))
    before = dnat_packets(engine_host)
    assert page(engine_host, "127.0.0.1:8080")
    loopback = dnat_packets(engine_host)
    assert (loopback == before) is (options.userland_proxy or not options.iptables)
    assert page(engine_host, f"{MACHINE_ADDRESS}:8080")
    assert (dnat_packets(engine_host) > loopback) is options.iptables


def test_the_server_sees_the_gateway_through_docker_proxy_and_the_client_itself_through_dnat_or_in_host_mode(
    engine_host: PrivateEngine, run: Run, machine_publishes: EngineFacts
) -> None:
    run("-p", "8080:80", "nginx")
    run("--network", "host", "nginx")
    assert client_seen(engine_host, "127.0.0.1:8080") == "172.17.0.1"
    options = machine_publishes.options
    # Without docker-proxy the Engine masquerades requests from the machine itself.
    itself = options.iptables and options.userland_proxy
    assert client_seen(engine_host, f"{MACHINE_ADDRESS}:8080") == (MACHINE_ADDRESS if itself else "172.17.0.1")
    assert client_seen(engine_host, "127.0.0.1") == "127.0.0.1"


def test_a_program_on_its_own_loopback_accepts_through_the_proxy_and_answers_nothing(
    engine_host: PrivateEngine, run: Run, facts: EngineFacts
) -> None:
    one = run("-p", "8080:80", "-e", "NETMODES_ADDRESS=127.0.0.1", "nginx")
    until(lambda: ":80" in inside(engine_host, one, "netstat", "-tln"))
    done = engine_host.try_on_machine("curl", "-sv", "--max-time", "5", "http://127.0.0.1:8080/")
    assert done.stdout == ""
    if facts.options.userland_proxy:
        assert re.search("(Connected|Established connection) to 127[.]0[.]0[.]1", done.stderr)
        assert done.returncode in {52, 56}  # empty reply, or reset
    else:
        assert done.returncode == 7  # refused


def test_a_port_published_from_an_ipv4_bridge_answers_on_ipv6_through_docker_proxy(
    engine_host: PrivateEngine, run: Run, facts: EngineFacts
) -> None:
    if facts.bridge_ipv6:
        pytest.skip("the default bridge has IPv6")
    run("-p", "8080:80", "nginx")
    # The other address is not in RootlessKit's namespace.
    addresses = ["::1"] if facts.rootless_network else ["::1", "2001:db8::2"]
    if facts.options.userland_proxy:
        seen = {client_seen(engine_host, f"[{address}]:8080") for address in addresses}
        assert seen == {"172.17.0.1"}
    else:
        until(lambda: page(engine_host, "127.0.0.1:8080"))
        assert [page(engine_host, f"[{address}]:8080") for address in addresses] == [""] * len(addresses)


# -- resolv.conf -------------------------------------------------------------------------------


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


# -- names and hosts ---------------------------------------------------------------------------


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


# -- sysctls and privileges --------------------------------------------------------------------


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


# -- refusals ----------------------------------------------------------------------------------


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


# -- statistics --------------------------------------------------------------------------------


def statistics(host: PrivateEngine, container: str) -> dict[str, object]:
    request = ("curl", "-s", "--unix-socket", host.socket)
    address = f"http://docker/containers/{container}/stats?stream=false&one-shot=true"
    answer: dict[str, object] = json.loads(host.on_machine(*request, address))
    return answer


def test_host_mode_has_no_network_statistics_and_shared_namespaces_have_the_same(
    engine_host: PrivateEngine, run: Run
) -> None:
    owner = run("--name", "owner", "nginx")
    guest = run("--network", "container:owner", "nginx", "sleep", "60")
    host = run("--network", "host", "nginx", "sleep", "60")
    address = engine_host.inspect(owner, "{{.NetworkSettings.Networks.bridge.IPAddress}}")
    until(lambda: page(engine_host, address))
    assert not statistics(engine_host, host).get("networks")

    def same() -> bool:
        one = statistics(engine_host, owner).get("networks")
        return bool(one) and one == statistics(engine_host, guest).get("networks")

    until(same)


def test_a_shared_namespace_is_one_namespace_with_one_loopback(engine_host: PrivateEngine, run: Run) -> None:
    owner = run("--name", "owner", "nginx")
    guest = run("--network", "container:owner", "nginx", "sleep", "60")
    assert namespace(pid_of(engine_host, owner), "net") == namespace(pid_of(engine_host, guest), "net")
    fetch = ("exec", guest, "wget", "-qO-", "http://127.0.0.1/")
    until(lambda: engine_host.try_docker(*fetch).returncode == 0)


# -- macvlan and overlay -----------------------------------------------------------------------


def test_a_macvlan_container_reaches_its_lan_and_not_its_own_machine(
    engine_host: PrivateEngine, run: Run, facts: EngineFacts
) -> None:
    if facts.rootless_network:
        pytest.skip("eth0 of the machine is not in RootlessKit's namespace")
    lan = ("--subnet", "192.0.2.0/24", "--gateway", "192.0.2.1", "-o", "parent=eth0")
    engine_host.docker("network", "create", "-d", "macvlan", *lan, "on-lan")
    one = engine_host.docker("run", "-d", "--network", "on-lan", "--ip", "192.0.2.50", "nginx", "sleep", "60")
    try:
        assert engine_host.try_docker("exec", one, "ping", "-c1", "-W2", "192.0.2.1").returncode == 0
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
    assert inside(engine_host, one, "ping", "-c1", "-W2", found[1])
