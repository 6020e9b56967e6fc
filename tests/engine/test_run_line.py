"""The shown ``docker run`` line equals the launch: the real docker command parses it, and every field is compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from dashboard.core.experiments.launch import container_config, run_arguments
from dashboard.core.modes import ArmSpec, Mode, Publish
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.protocol import EngineError
from tests.support.private_engine import PrivateEngine

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("docker")]

HOLDS_ON_PODMAN = frozenset(
    f"test_the_docker_command_creates_the_same_container_from_the_line[{arm}]"
    for arm in (
        "arm0-None-None",
        "arm1-None-None",
        "arm2-None-None",
        "arm3-lab-None",
        "arm5-None-None",
        "arm8-lab-None",
    )
)

#: What a line can express. Limits, logs and no-new-privileges are set by Netmodes; a user would not type them.
HOST_FIELDS = (
    "NetworkMode", "PortBindings", "PublishAllPorts", "Dns", "ExtraHosts", "Sysctls", "Privileged", "CapAdd",
    "CapDrop", "Binds", "ReadonlyRootfs", "RestartPolicy", "IpcMode", "PidMode", "UTSMode", "UsernsMode", "Runtime",
    "GroupAdd", "Links", "VolumesFrom", "ShmSize", "MaskedPaths", "ReadonlyPaths", "DnsOptions", "DnsSearch",
)  # fmt: skip
CONFIG_FIELDS = (
    "Hostname", "User", "Env", "Cmd", "Image", "ExposedPorts", "Entrypoint", "WorkingDir", "Domainname", "Tty",
    "OpenStdin", "Volumes", "StopSignal",
)  # fmt: skip


@pytest.fixture
def surroundings(engine_host: PrivateEngine) -> Iterator[None]:
    """A network and a container that lines refer to."""
    engine_host.docker("network", "create", "lab")
    engine_host.docker("create", "--name", "owner", "nginx")
    yield
    engine_host.docker("rm", "-f", "owner", "typed", "ours")
    engine_host.docker("network", "rm", "lab")


def normal(value: Any) -> Any:
    """Normalises a value: empty, absent and null are the same to the Engine."""
    return value or None


def fields(facts: dict[str, Any]) -> dict[str, Any]:
    found = {name: normal(facts["HostConfig"].get(name)) for name in HOST_FIELDS}
    found |= {name: normal(facts["Config"].get(name)) for name in CONFIG_FIELDS}
    found["Env"] = sorted(found["Env"] or [])
    if found["Hostname"] == facts["Id"][:12]:
        found["Hostname"] = "the id"
    if found["RestartPolicy"] in ({"Name": "", "MaximumRetryCount": 0}, {"Name": "no", "MaximumRetryCount": 0}):
        found["RestartPolicy"] = "never"
    return found


@pytest.mark.parametrize(
    ("arm", "network", "target"),
    [
        (ArmSpec("a", Mode.HOST), None, None),
        (ArmSpec("a", Mode.BRIDGE), None, None),
        (ArmSpec("a", Mode.NONE), None, None),
        (ArmSpec("a", Mode.USER_BRIDGE), "lab", None),
        (ArmSpec("a", Mode.CONTAINER, target="owner", command=("sleep", "60")), None, "owner"),
        (ArmSpec("a", Mode.HOST, publish=(Publish(80, 8080),), publish_all=True), None, None),
        (
            ArmSpec(
                "a",
                Mode.BRIDGE,
                publish=(
                    Publish(80, 8080),
                    Publish(80),
                    Publish(53, 5353, "udp", "127.0.0.1"),
                    Publish(443, 8443, "tcp", "::1"),
                ),
            ),
            None,
            None,
        ),
        (ArmSpec("a", Mode.BRIDGE, publish_all=True), None, None),
        (
            ArmSpec(
                "a",
                Mode.USER_BRIDGE,
                command=("sh", "-c", 'echo "it\'s" $HOME; sleep 1'),
                environment={"A": "two words", "EMPTY": "", "Q": "'\""},
                hostname="mine",
                dns=("192.0.2.53", "2001:db8::53"),
                add_host=("one:192.0.2.7", "six=[2001:db8::7]", "gateway:host-gateway"),
                sysctls={"net.ipv4.ip_forward": "1"},
                user="1000:1000",
            ),
            "lab",
            None,
        ),
    ],
)
async def test_the_docker_command_creates_the_same_container_from_the_line(
    request: pytest.FixtureRequest,
    engine: DockerEngine,
    engine_host: PrivateEngine,
    surroundings: None,
    arm: ArmSpec,
    network: str | None,
    target: str | None,
) -> None:
    if arm.mode is Mode.HOST:
        request.getfixturevalue("host_mode")
    engine_host.docker("create", *run_arguments(arm, name="typed", network=network, target_name=target))
    body = container_config(arm, name="ours", labels={}, network=network, target_container=target)
    await engine.create_container("ours", body)
    typed, ours = json.loads(engine_host.docker("inspect", "typed", "ours"))
    for facts in (typed, ours):  # the command line sends the name that was typed, the Engine keeps an id
        mode = facts["HostConfig"]["NetworkMode"]
        if mode == "default":  # what the command sends to an API before 1.42 if --network is missing
            facts["HostConfig"]["NetworkMode"] = "bridge"
        if mode.startswith("container:"):
            owner = engine_host.inspect(mode.removeprefix("container:"), "{{.Name}}")
            facts["HostConfig"]["NetworkMode"] = f"container:{owner}"
    assert fields(ours) == fields(typed)


@pytest.mark.parametrize(
    "options",
    [
        {"publish": (Publish(80, 8080),)},
        {"dns": ("192.0.2.53",)},
        {"hostname": "mine"},
        {"add_host": ("a:192.0.2.1",)},
    ],
    ids=lambda options: next(iter(options)),
)
async def test_the_engine_itself_refuses_what_a_shared_namespace_cannot_have(
    engine: DockerEngine, surroundings: None, options: dict[str, Any]
) -> None:
    arm = ArmSpec("a", Mode.CONTAINER, target="owner", **options)
    body = container_config(arm, name="ours", labels={}, target_container="owner")
    with pytest.raises(EngineError, match="conflicting options") as refused:
        await engine.create_container("ours", body)
    assert refused.value.status == 400
    assert "Error response from daemon" not in str(refused.value)
