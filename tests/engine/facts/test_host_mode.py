"""Facts about host mode on a real engine. The name of each test is the fact."""

from __future__ import annotations

import json

import pytest

from dashboard.engine.hosts.private_host import MACHINE_ADDRESS
from tests.engine.conftest import Run
from tests.engine.facts.conftest import inside, namespace, page, pid_of
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("docker")]


#: The tests of facts that hold on Podman too, by name; of a test with parameters, the cases that hold.
HOLDS_ON_PODMAN = frozenset(
    {
        "test_a_service_on_the_machines_loopback_is_reached_from_host_mode_and_not_from_bridge",
        "test_host_mode_copies_the_machines_name_and_may_have_its_own",
        "test_publishing_all_ports_in_host_mode_is_ignored_without_a_warning",
        "test_rm_removes_the_container_at_stop_and_its_port_is_free_at_once",
        "test_unix_sockets_of_the_machines_namespace_are_listed_in_host_mode_only",
    }
)


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


def test_the_engine_refuses_the_second_container_on_one_published_port(engine_host: PrivateEngine, run: Run) -> None:
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
    assert "<!doctype html>" in inside(engine_host, same, "wget", "-qO-", "http://127.0.0.1:8099/")
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
