"""Which modes are available, and why others are not. A missing engine is a result, not an error."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from dashboard.core.claims.engine_facts import DaemonOptions
from dashboard.core.modes import Mode
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts.registry import LanPlace, PrivateHost
from dashboard.engine.lans.lan import lans_of
from dashboard.lab.doctor import NO_RULES, examine, free_port, modes_of
from tests.netns.namespaces import Netns, wanted
from tests.support.fakes import FakeEngine, make_info
from tests.support.private_engine import PrivateEngine


@pytest.mark.usefixtures("machine_network")
async def test_a_real_engine_is_described(engine_host: PrivateEngine) -> None:
    engine = DockerEngine(engine_host.endpoint)
    found = await examine(engine, private=True)
    await engine.close()
    assert found.engine is not None
    assert (found.engine.private, found.engine.endpoint) == (True, engine_host.endpoint)
    works = {one.mode: one for one in found.modes}
    for mode in (Mode.HOST, Mode.BRIDGE, Mode.USER_BRIDGE, Mode.NONE, Mode.CONTAINER):
        assert works[mode].available, works[mode].reason
    assert not works[Mode.OVERLAY].available
    assert "swarm" in works[Mode.OVERLAY].reason
    checks = {one.name: one.ok for one in found.checks}
    assert checks["engine"]
    assert checks["machine"]


async def test_an_engine_that_does_not_answer_is_a_result() -> None:
    engine = FakeEngine()
    engine.away = "it hangs"
    found = await examine(engine, private=False)
    assert found.engine is None
    assert found.checks[0].name == "engine"
    assert (found.checks[0].ok, found.checks[0].detail) == (False, "it hangs")
    assert len(found.modes) == len(Mode)
    assert not any(one.available for one in found.modes)


async def test_an_engine_on_another_machine_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine(info=make_info(pid=None))
    found = await examine(engine, private=False)
    machine = next(one for one in found.checks if one.name == "machine")
    assert not machine.ok
    assert "not a process of this machine" in machine.detail


async def test_the_kernel_of_another_machine_is_not_tried_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.lab.doctor.link_kinds", lambda: {"vxlan": False, "macvlan": False})
    info = make_info(pid=None, endpoint="tcp://192.0.2.1:2376", swarm_active=True)
    works = {one.mode: one for one in (await examine(FakeEngine(info=info), private=False)).modes}
    assert works[Mode.OVERLAY].available, works[Mode.OVERLAY].reason
    assert "the engine is reached over TCP" in works[Mode.MACVLAN].reason


async def test_the_version_of_docker_desktop_decides_about_host_mode() -> None:
    for version, available in (("4.33.1", False), ("4.34.0", True)):
        info = make_info(pid=None, desktop=True, platform=f"Docker Desktop {version} (160616)")
        works = {one.mode: one for one in await modes_of(FakeEngine(info=info), info)}
        assert works[Mode.HOST].available is available
        assert ("Enable host networking" in works[Mode.HOST].note) is available


@pytest.mark.parametrize(
    ("options", "forwarded"),
    [
        (DaemonOptions(userland_proxy=True, iptables=False), ["only docker-proxy forwards published ports"]),
        (DaemonOptions(userland_proxy=False, iptables=False), ["nothing forwards published ports"]),
        (DaemonOptions(userland_proxy=True, iptables=True), []),
        (DaemonOptions(), []),
    ],
)
async def test_an_engine_that_sets_no_rules_is_named(
    monkeypatch: pytest.MonkeyPatch, options: DaemonOptions, forwarded: list[str]
) -> None:
    monkeypatch.setattr("dashboard.lab.doctor.read_daemon_options", lambda _pid: options)
    report = await examine(FakeEngine(), private=False)
    details = [check.detail for check in report.checks if check.name == "firewall"]
    assert details == [f"{NO_RULES}: {each}" for each in forwarded]


async def test_a_missing_tool_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.lab.doctor.shutil.which", lambda _tool, **_options: None)
    found = await examine(FakeEngine(), private=False)
    checks = {one.name: one for one in found.checks}
    assert checks["ss"].detail == "missing: apt-get install iproute2"
    assert not checks["nslookup"].ok


async def test_an_engine_without_a_default_bridge_has_no_bridge_mode() -> None:
    engine = FakeEngine()
    del engine.nets["bridge"]
    found = {one.mode: one for one in await modes_of(engine, engine.facts)}
    assert not found[Mode.BRIDGE].available
    assert found[Mode.BRIDGE].reason


@pytest.mark.parametrize(("kind", "available"), [("bridge", True), ("tun", False)])
async def test_macvlan_is_available_on_a_bridge_with_the_default_route(
    kind: str, available: bool, netns: Netns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hosts of virtual machines have their uplink, such as enp3s0, on a bridge."""
    monkeypatch.setattr("dashboard.lab.doctor.link_kinds", dict)
    if kind == "bridge":
        netns.ip("link", "add", "up0", "type", "bridge")
        netns.ip("link", "add", "enp3s0", "master", "up0", "type", "veth")
    else:
        netns.ip("tuntap", "add", "up0", "mode", "tun")
    netns.ip("address", "add", "192.0.2.2/24", "dev", "up0")
    netns.ip("link", "set", "up0", "up")
    engine = FakeEngine(info=make_info(pid=netns.pid))
    modes = {report.mode: report for report in await modes_of(engine, engine.facts)}
    assert "needs an Ethernet interface with a default route" in modes[Mode.MACVLAN].reason
    netns.ip("route", "add", "default", "via", "192.0.2.1")
    modes = {report.mode: report for report in await modes_of(engine, engine.facts)}
    assert {modes[mode].available for mode in (Mode.MACVLAN, Mode.IPVLAN)} == {available}


def test_a_free_port_has_no_listener() -> None:
    netns = Netns()
    try:
        netns.ip("link", "set", "lo", "up")
        info = make_info(pid=netns.pid)
        assert free_port(info) == 8080
        holder = netns.hold([wanted("tcp", "inet", "127.0.0.1", 8080), wanted("tcp", "inet6", "::", 8081)])
        assert free_port(info) == 8082
        assert free_port(info, 8079) == 8079
        assert free_port(info, 8079, count=2) == 8082
        assert free_port(info, 8079, reserved={8083}, count=2) == 8084
        netns.release(holder)
    finally:
        netns.close()
    assert free_port(make_info(pid=None)) == 8080
    assert free_port(info) == 8080, "the process is gone"
    assert free_port(make_info(), 9000) >= 9000


def test_with_a_rootless_docker_a_free_port_has_no_listener_on_the_machine_itself_either() -> None:
    netns = Netns()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        try:
            assert free_port(make_info(pid=netns.pid), port) == port
            assert free_port(make_info(pid=netns.pid, rootless=True), port) > port
        finally:
            netns.close()


@pytest.mark.parametrize(
    ("runtime", "problem", "ok", "words"),
    [
        ("user-namespace", "", True, "is an ordinary user of this machine"),
        ("privileged", "", True, "is root of this machine"),
        ("user-namespace", "This machine does not permit user namespaces.", False, "does not permit user namespaces"),
    ],
)
async def test_the_doctor_states_what_root_of_a_private_host_is_on_this_machine(
    runtime: str, problem: str, ok: bool, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETMODES_HOST_RUNTIME", runtime)
    monkeypatch.setattr("dashboard.lab.doctor.missing_requirement", lambda *_: problem)
    found = await examine(FakeEngine(), private=False)
    check = next(one for one in found.checks if one.name == "private hosts")
    assert (check.ok, words in check.detail) == (ok, True)


async def test_the_ended_hosts_of_a_lan_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def host(identity: str, name: str) -> PrivateHost:
        return PrivateHost(identity, 1, 1, "", 1.0, tmp_path, 1, lan=LanPlace(name))

    lans = lans_of([host("a", "office"), host("b", "cellar")], [host("c", "office")])
    monkeypatch.setattr("dashboard.lab.doctor.list_lans", lambda _folder: lans)
    checks = {one.name: one for one in (await examine(FakeEngine(), private=False)).checks}
    assert (checks["LAN cellar"].ok, checks["LAN cellar"].detail) == (True, "running private hosts: 1")
    office = checks["LAN office"]
    assert not office.ok
    assert office.detail.startswith("running private hosts: 1; ended: 1. The server starts them again, or run ")
    assert "lan start office" in office.detail
    assert office.detail.endswith("lan remove office")


async def test_disks_without_a_limit_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETMODES_HOST_RUNTIME", "user-namespace")
    monkeypatch.setattr("dashboard.lab.doctor.missing_requirement", lambda *_: "")
    monkeypatch.setattr("dashboard.lab.doctor.disk.refusal", lambda _folder: "failed to setup loop device")
    found = await examine(FakeEngine(), private=False)
    check = next(one for one in found.checks if one.name == "private hosts")
    assert check.ok
    assert check.detail.endswith("; their disks are not limited (failed to setup loop device)")


@pytest.mark.parametrize("runtime", ["user-namespace", "privileged"])
async def test_missing_limits_are_named(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETMODES_HOST_RUNTIME", runtime)
    monkeypatch.setattr("dashboard.lab.doctor.missing_requirement", lambda *_: "")
    monkeypatch.setattr("dashboard.lab.doctor.missing_controllers", lambda: ("memory", "pids"))
    found = await examine(FakeEngine(), private=False)
    check = next(one for one in found.checks if one.name == "private hosts")
    assert check.detail.endswith("; no limits of memory, pids: this machine lacks the cgroup controllers")


async def test_a_machine_without_filters_of_system_calls_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETMODES_HOST_RUNTIME", "user-namespace")
    monkeypatch.setattr("dashboard.lab.doctor.missing_requirement", lambda *_: "")
    monkeypatch.setattr("dashboard.lab.doctor.filter_refusal", lambda: "private hosts have no seccomp filter: x")
    found = await examine(FakeEngine(), private=False)
    check = next(one for one in found.checks if one.name == "private hosts")
    assert (check.ok, check.detail.endswith("; private hosts have no seccomp filter: x")) == (True, True)
