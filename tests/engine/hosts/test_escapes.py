"""Nothing leaves a private host: attempts by root of a participant's terminal, with system calls and docker commands.

All attempts run once on one of two hosts, in one terminal. Each aims at a file, process, socket or device that the test
has made on the machine or on the other host (tests/support/escapes/targets.py), and counts as successful if that is
seen from outside. With the runtime ``privileged``, where root of a host is root of the machine, most of them succeed:
that proves that they can (``./netmodes test --all``)."""

from __future__ import annotations

import asyncio
import secrets
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.http import QueryDict

from dashboard.core.experiments.launch import container_config
from dashboard.core.modes import Mode
from dashboard.core.training.capacity import HostLimits
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.private_host import PrivateHost
from dashboard.engine.hosts.programs import engine_root
from dashboard.engine.hosts.runtimes import Runtime
from dashboard.engine.hosts.template import HostTemplate
from dashboard.engine.protocol import EngineError
from dashboard.web.experiments.forms import LaunchForm
from tests.support import engine_api
from tests.support.escapes.assault import Outcome, attack
from tests.support.escapes.attempts import ATTEMPTS, Attempt
from tests.support.escapes.machine import ORIGINS, sleeper
from tests.support.escapes.remains import clock_ticks, leave_everything, namespaces_of, remains
from tests.support.escapes.targets import machine
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(engine_root() is not None, reason="the probe needs Python in the host: the machine's programs"),
]
LIMITS = HostLimits(512, 512, 1.0)
#: The present value of a setting of the whole machine, which an attempt sets again.
OVERCOMMIT = Path("/proc/sys/vm/overcommit_memory").read_text().strip()
#: A mode of Podman.
PODMANS = "ns:/proc/1/ns/net"
#: What a participant can enter in the form that launches containers on the host: fields of an arm.
FORMS: tuple[dict[str, str], ...] = (
    {"mode": "privileged"},
    {"mode": "container:elsewhere"},
    {"mode": PODMANS},
    {"mode": "container", "target": "elsewhere"},
    {"mode": "bridge", "image": "--privileged nginx"},
    {"mode": "bridge", "image": "nginx --volume=/:/h"},
    {"mode": "bridge", "command": "--privileged --volume /:/h sleep 100"},
    {"mode": "bridge", "command": "sleep 100", "user": "0:0 --privileged"},
    {"mode": "bridge", "command": "sleep 100", "hostname": "x --pid=host"},
    {"mode": "bridge", "command": "sleep 100", "dns": "192.0.2.53 --volume=/:/h"},
    {"mode": "bridge", "command": "sleep 100", "add_host": "db:192.0.2.7 --device=/dev/full"},
    {"mode": "bridge", "command": "sleep 100", "environment": "A=1\n--volume=/:/h"},
    {"mode": "bridge", "command": "sleep 100", "sysctls": "vm.overcommit_memory=PRESENT"},
    {"mode": "bridge", "command": "sleep 100", "publish": "/run/docker.sock:80"},
    {"mode": "user-bridge", "command": "sleep 100", "networks": "container:elsewhere"},
    {"mode": "user-bridge", "command": "sleep 100", "networks": "back,driver-opt=parent=eth0"},
    {
        "mode": "host",
        "command": "sleep 100",
        "volumes": "/:/h",
        "privileged": "on",
        "pid": "host",
        "devices": "/dev/full",
    },
)
#: Fields of HostConfig that give a container something of the machine, and their values without that.
WITHOUT: dict[str, tuple[object, ...]] = {
    "Privileged": (False,),
    "Binds": (None, []),
    "Mounts": (None, []),
    "Devices": (None, []),
    "DeviceCgroupRules": (None, []),
    "CapAdd": (None, []),
    "VolumesFrom": (None, []),
    "PidMode": ("",),
    "UTSMode": ("",),
    "UsernsMode": ("",),
    "CgroupParent": ("",),
}


@pytest.mark.parametrize("fields", FORMS, ids=lambda fields: " ".join(fields.values()))
async def test_no_entry_in_the_form_gives_a_container_access_to_the_machine(
    engine_host: PrivateEngine, engine: DockerEngine, fields: dict[str, str]
) -> None:
    fields = {name: value.replace("PRESENT", OVERCOMMIT) for name, value in fields.items()}
    post = QueryDict(mutable=True)
    post.update({f"arms-0-{name}": value for name, value in fields.items()})
    post.update({"arms-TOTAL_FORMS": "1", "arms-INITIAL_FORMS": "0", "image": "nginx", "port": "80"})
    spec = LaunchForm(post).parse()
    if spec is None:
        return
    (arm,) = spec.arms
    network = "escape-network" if arm.networks or arm.mode is Mode.USER_BRIDGE else None
    config = container_config(arm, name="escape", labels={}, network=network)
    try:
        created = await engine.create_container("escape", config)
    except EngineError:
        return
    try:
        inspected = engine_api.get(engine_host.endpoint, f"/containers/{created.id}/json")
        host = inspected["HostConfig"]
        assert {name: host.get(name) for name in WITHOUT if host.get(name, WITHOUT[name][0]) not in WITHOUT[name]} == {}
        assert host["NetworkMode"] in {"host", "bridge", "default", "escape-network", PODMANS}
        assert inspected["Mounts"] == []
        # Docker takes a mode of Podman for the name of a network, which is missing when the container starts.
        if "sysctls" in fields or host["NetworkMode"] == PODMANS:
            with pytest.raises(EngineError):
                await engine.start_container(created.id)
    finally:
        await engine.remove_container(created.id)


def start(data: Path, template: HostTemplate, group: str, runtime: Runtime) -> PrivateHost:
    """A host as a session starts it."""
    return asyncio.run(private_host.start(data, limits=LIMITS, template=template, group=group, runtime=runtime))


@pytest.fixture(
    scope="module", params=[Runtime.USER_NAMESPACE, pytest.param(Runtime.PRIVILEGED, marks=pytest.mark.slow)]
)
def outcomes(
    request: pytest.FixtureRequest,
    session_hosts_folder: Path,
    session_template: HostTemplate,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Runtime, dict[str, Outcome]]]:
    """The outcome of every attempt on a host beside another one."""
    runtime: Runtime = request.param
    data, template, folder = session_hosts_folder, session_template, tmp_path_factory.mktemp("escapes")
    host, other = (start(data, template, f"g-{number}", runtime) for number in (1, 2))
    try:
        neighbour = PrivateEngine(other, folder)
        container = neighbour.docker("run", "-d", "--network", "host", "nginx")
        pids = {}
        for origin in ORIGINS:
            seconds = 100_000 + secrets.randbelow(100_000)
            neighbour.docker("run", "-d", "nginx", "sleep", str(seconds))
            pids[f"neighbour {origin}"] = until(lambda: sleeper(seconds))  # noqa: B023
        with machine(folder / "machine", other, pids) as made:
            write = f"echo {made.secret} > /h/secret"
            neighbour.docker("run", "--rm", "-v", "secrets:/h", "nginx", "sh", "-c", write)
            yield runtime, attack(made, host, folder / "payload", template.folder, container)
    finally:
        # The neighbour first: with ``privileged`` a process of the host has entered its cgroup.
        asyncio.run(private_host.stop(other))
        asyncio.run(private_host.stop(host))


def test_there_are_attempts_of_every_kind() -> None:
    assert len(ATTEMPTS) >= 120
    assert len({attempt.name for attempt in ATTEMPTS}) == len(ATTEMPTS)
    assert len([attempt for attempt in ATTEMPTS if attempt.privileged]) >= 60, "they succeed with the other runtime"


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_an_attempt_reaches_nothing_outside(outcomes: tuple[Runtime, dict[str, Outcome]], attempt: Attempt) -> None:
    runtime, found = outcomes
    outcome = found[attempt.name]
    if runtime is Runtime.USER_NAMESPACE:
        assert not outcome.reached, f"it reaches {attempt.must_not}: {outcome.output}"
    elif attempt.privileged is not None:
        assert outcome.reached is attempt.privileged, outcome.output


@pytest.mark.parametrize("rounds", [1, pytest.param(50, marks=pytest.mark.slow)])
def test_nothing_remains_of_a_host_that_was_attacked(
    session_hosts_folder: Path, session_template: HostTemplate, rounds: int
) -> None:
    for _ in range(rounds):
        links = socket.if_nameindex()
        host = start(session_hosts_folder, session_template, "g-3", Runtime.USER_NAMESPACE)
        try:
            shell, namespaces = leave_everything(host)
        finally:
            asyncio.run(private_host.stop(host))
        shell.end()
        ended = clock_ticks()
        until(lambda: remains(host, namespaces, ended) == [])  # noqa: B023
        assert socket.if_nameindex() == links


def test_a_process_of_the_machine_in_the_network_namespace_of_a_host_is_seen() -> None:
    """Like programs that Netmodes starts there, the process is in no other namespace of the host."""
    host = PrivateHost("gone", 0, 0, "/nowhere", 0.0, Path("/nowhere"), 0)
    with subprocess.Popen(["unshare", "--net", "sleep", "60"]) as process:
        try:
            until(lambda: namespaces_of([process.pid]))
            (network,) = namespaces_of([process.pid])
            found = remains(host, {network, "user:[1]"}, clock_ticks() + 1)
            assert network in found
            process.kill()
            process.wait()
            assert remains(host, {network, "user:[1]"}, clock_ticks() + 1) == []
        finally:
            process.kill()
