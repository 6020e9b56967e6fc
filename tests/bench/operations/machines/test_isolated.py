"""A machine in namespaces of this one: its own network and processes, an engine, and nothing left afterwards."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.bench.operations.machines.isolated import SWITCH_ADDRESS, InsideService, IsolatedMachine, lan
from dashboard.engine.hosts.cleanup import CGROUPS
from tests.support.polling import until
from tests.support.private_engine import CACHE

pytestmark = pytest.mark.engine


def _namespaces(pid: str | int) -> dict[str, int]:
    return {kind: Path(f"/proc/{pid}/ns/{kind}").stat().st_ino for kind in ("net", "mnt", "pid", "uts")}


def _answers(machine: IsolatedMachine) -> bool:
    """Whether its kernel refuses a connection to a port on which no program listens."""
    try:
        socket.create_connection((machine.address, 9), 1.0).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IsolatedMachine]:
    """A running machine. At the end neither its processes nor a cgroup of its containers remains."""
    own = _namespaces("thread-self")
    with lan():
        made = IsolatedMachine("far", 1, tmp_path_factory.mktemp("far"), None)
        try:
            made.start()
            init, cgroup = made.init, made.run("hostname").strip()
            yield made
        finally:
            made.stop()
        until(lambda: not Path(f"/proc/{init}").exists())
        until(lambda: not list(CGROUPS.rglob(cgroup)))
    assert _namespaces("thread-self") == own


def test_a_machine_has_its_own_namespaces_and_an_engine_on_the_lan(
    machine: IsolatedMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, inside = _namespaces("thread-self"), _namespaces(machine.init)
    assert all(inside[kind] != own[kind] for kind in own)
    assert machine.run("hostname").startswith("netmodes-")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")  # a benchmark has an engine of its own
    assert "Server" in machine.run("docker", "version", timeout_s=30)
    until(lambda: _answers(machine))
    assert SWITCH_ADDRESS in machine.run("ip", "neigh")
    for silently in (True, False):
        machine.cut_off(silently=silently)
        assert not _answers(machine)
        machine.reconnect(silently=silently)
        until(lambda: _answers(machine))


def test_a_process_on_a_machine_is_killed_and_stopped_itself(machine: IsolatedMachine) -> None:
    script = "trap 'echo ended; exit' TERM; echo $VALUE ready; while :; do sleep 0.1; done"
    service = InsideService(
        "service", machine, ["sh", "-c", script], lambda: "ready" in service.output(), {**os.environ}
    )
    with service.variables(VALUE="one"):
        service.start()
    assert service.output() == "one ready\n"
    service.stop()
    assert service.output() == "one ready\nended\n"
    service.start()
    service.kill()
    assert service.output() == " ready\n".replace(" ", "", 1)
    assert "trap" not in machine.run("ps", "-eo", "args")


async def test_its_engine_gets_the_lab_image_and_its_containers_have_a_cgroup(machine: IsolatedMachine) -> None:
    await machine.load_image(CACHE)
    listed = await asyncio.to_thread(machine.run, "docker", "image", "ls", "--format", "{{.Repository}}")
    assert "nginx" in listed.split()
    await asyncio.to_thread(machine.run, "docker", "run", "-d", "nginx")
    assert list(CGROUPS.rglob(machine.run("hostname").strip()))
