"""dashboard.lab.engine.ports, on a real engine."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.modes import ArmSpec, Mode, Publish
from dashboard.core.namespaces.state import Family, Listener, Protocol
from dashboard.lab.engine import ports
from dashboard.lab.engine.ports import port_holders
from dashboard.netns.namespace import namespace_file
from tests.netns.namespaces import Netns
from tests.support.fakes import make_info
from tests.support.lab_harness import LabHarness
from tests.support.polling import DEADLINE_S, eventually
from tests.support.private_engine import PrivateEngine
from tests.support.specs import HOST_WITHOUT_ROOT, OPEN_PORT

pytestmark = pytest.mark.engine
HOST = (ArmSpec("host", Mode.HOST, port=OPEN_PORT),)
PUBLISHED = (ArmSpec("bridge", Mode.BRIDGE, publish=(Publish(80, 8080),)),)


async def test_another_experiment_holds_ports_until_it_is_stopped(lab_harness: LabHarness) -> None:
    other = await lab_harness.running(arms=[HOST_WITHOUT_ROOT, {"mode": "bridge", "publish": "8080:80"}], title="Other")
    (listens,) = await eventually(lambda: port_holders(lab_harness.lab, HOST))
    assert f"of experiment “Other” listens on port {OPEN_PORT} of this machine." in listens.sentence
    (publishes,) = await port_holders(lab_harness.lab, PUBLISHED)
    assert publishes.sentence == "The Engine publishes port 8080 of this machine for experiment “Other”."
    assert {holder.experiment and holder.experiment.id for holder in (listens, publishes)} == {other}
    assert await port_holders(lab_harness.lab, (*HOST, *PUBLISHED), other) == ()
    assert await port_holders(lab_harness.lab, (ArmSpec("none", Mode.NONE),)) == ()
    await lab_harness.want(other, Wanted.STOPPED)

    async def ports_are_free() -> bool:
        """Whether no port is held: programs may listen for a moment after their containers are gone."""
        return await port_holders(lab_harness.lab, (*HOST, *PUBLISHED)) == ()

    await eventually(ports_are_free)


async def test_a_foreign_container_and_a_process_of_the_machine_hold_ports(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    engine_host.docker("run", "-d", "--name", "web", "-p", "8080:80", "nginx")
    server = await asyncio.create_subprocess_exec(
        # The first thread of Podman's service may be in the namespace of a container.
        *("nsenter", f"--net={namespace_file(engine_host.pid, 'net')}", "--"),
        *("python3", "-m", "http.server", str(OPEN_PORT)),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        (container,) = await port_holders(lab_harness.lab, PUBLISHED)
        assert container.sentence == "The Engine publishes port 8080 of this machine for container web."
        holders = await eventually(lambda: port_holders(lab_harness.lab, HOST))
        assert holders[0].sentence == f"python3 (pid {server.pid}) listens on port {OPEN_PORT} of this machine."
        assert holders[0].experiment is None
    finally:
        server.kill()
        await server.wait()
        engine_host.docker("rm", "-f", "web")


async def test_a_socket_of_an_unknown_process_is_read_again_because_it_may_be_ending(
    lab_harness: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener(Protocol.TCP, Family.INET, "0.0.0.0", OPEN_PORT)
    readings = [(listener,), (listener,), ()]
    monkeypatch.setattr(ports, "_listeners", lambda *_: readings.pop(0))
    monkeypatch.setattr(ports, "ENDING_S", DEADLINE_S)
    assert await port_holders(lab_harness.lab, HOST) == ()
    monkeypatch.setattr(ports, "_listeners", lambda *_: (listener,))
    monkeypatch.setattr(ports, "ENDING_S", 0.0)
    (holder,) = await port_holders(lab_harness.lab, HOST)
    assert holder.sentence == f"An unidentified process listens on port {OPEN_PORT} of this machine."


def test_with_a_rootless_docker_programs_of_the_machine_itself_hold_ports() -> None:
    netns = Netns()
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            assert ports._listeners(make_info(pid=netns.pid), {port}, {}) == ()
            (listener,) = ports._listeners(make_info(pid=netns.pid, rootless=True), {port}, {})
            assert (listener.address, listener.pid) == ("127.0.0.1", os.getpid())
    finally:
        netns.close()
