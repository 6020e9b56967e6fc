"""The contract of ``protocol.Engine``, on a real engine."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dashboard.core.claims.engine_facts import EngineFacts
from dashboard.core.experiments.docker_run import parse_run
from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.experiments.launch import container_config
from dashboard.core.experiments.networks import network_request
from dashboard.core.modes import ArmSpec, Mode, Publish
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.protocol import EngineError, EngineUnreachable
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine

pytestmark = pytest.mark.engine

LABELS = {"netmodes.test": "docker-engine"}


@pytest.fixture
async def made(engine: DockerEngine) -> AsyncIterator[dict[str, str]]:
    """Removes containers and networks with LABELS at the end."""
    yield LABELS
    for one in await engine.containers(LABELS):
        await engine.remove_container(one.id)
    for network in await engine.networks(LABELS):
        await engine.remove_network(network.id)


def config(arm: ArmSpec, name: str = "one", **options: str) -> dict[str, object]:
    return container_config(arm, name=name, labels=LABELS, **options)  # type: ignore[arg-type]


@pytest.mark.usefixtures("docker")
async def test_a_hardware_address_is_that_of_the_interface(
    engine: DockerEngine, made: dict[str, str], engine_host: PrivateEngine
) -> None:
    command = parse_run("docker run --network bridge --mac-address 02:42:ac:11:00:99 nginx")
    created = await engine.create_container("one", command.labelled(made))
    assert created.warnings == ()
    await engine.start_container(created.id)
    template = "{{range .NetworkSettings.Networks}}{{.MacAddress}}{{end}}"
    assert engine_host.inspect("one", template) == "02:42:ac:11:00:99"


async def test_info_names_the_engine_and_its_process(engine: DockerEngine, engine_host: PrivateEngine) -> None:
    info = await engine.info()
    assert info.pid == engine_host.pid
    assert info.name == engine_host.host.name
    assert info.version == engine_host.docker("version", "--format", "{{.Server.Version}}")
    assert info.kernel == os.uname().release
    assert "macvlan" in info.network_plugins
    security = engine_host.docker("info", "--format", "{{json .SecurityOptions}}")
    assert (info.rootless, info.userns_remap) == ("name=rootless" in security, "name=userns" in security)
    assert (info.desktop, info.swarm_active) == (False, False)
    assert info.endpoint == engine_host.endpoint


@pytest.mark.usefixtures("docker")
async def test_a_bridge_container_lives_from_create_to_remove(
    engine: DockerEngine, made: dict[str, str], engine_host: PrivateEngine, facts: EngineFacts
) -> None:
    # On a network without IPv6, docker-proxy publishes ports at IPv6 addresses.
    ipv6 = facts.options.userland_proxy or facts.bridge_ipv6
    arm = ArmSpec("web", Mode.BRIDGE, publish=(Publish(80, 8080),))
    created = await engine.create_container("one", config(arm))
    assert created.warnings == ()
    before = await engine.inspect_container("one")
    assert (before.status, before.running, before.pid, before.exit_code) == ("created", False, 0, None)
    await engine.start_container(created.id)
    container = await engine.inspect_container(created.id)
    assert container.running
    assert container.pid > 0
    assert container.name == "one"
    assert container.labels.items() >= LABELS.items()
    assert container.networks["bridge"].startswith("172.17.0.")
    assert {(one.container_port, one.host_port, one.host_address) for one in container.published} == {
        (80, 8080, "0.0.0.0"),
        *([(80, 8080, "::")] if ipv6 else []),
    }
    assert [(one.container_port, one.host_port) for one in container.asked] == [(80, 8080)]
    for path in (container.resolv_conf_path, container.hosts_path):
        # A rootless engine's paths are those of its own mount namespace.
        assert await asyncio.to_thread(engine_host.on_machine, "cat", path)
    # Before its entry point has become nginx, process 1 ignores the stop signal and would be killed.
    await eventually(lambda: engine_host.try_docker("exec", "one", "wget", "-qO-", "http://127.0.0.1").stdout)
    await engine.stop_container(created.id, grace_s=20)
    stopped = await engine.inspect_container(created.id)
    assert (stopped.status, stopped.exit_code, stopped.published) == ("exited", 0, ())
    await engine.remove_container(created.id)
    await engine.remove_container(created.id)
    with pytest.raises(EngineError, match="No such container") as refused:
        await engine.inspect_container(created.id)
    assert refused.value.status == 404


@pytest.mark.usefixtures("docker", "host_mode")
async def test_a_published_port_in_host_mode_is_discarded_with_a_warning_in_the_create_answer(
    engine: DockerEngine, made: dict[str, str]
) -> None:
    arm = ArmSpec("web", Mode.HOST, publish=(Publish(80, 8080),))
    created = await engine.create_container("one", config(arm))
    assert created.warnings == ("Published ports are discarded when using host network mode",)
    await engine.start_container(created.id)
    facts = await engine.inspect_container(created.id)
    assert facts.published == ()
    assert [one.host_port for one in facts.asked] == [8080]
    assert facts.networks == {"host": ""}


@pytest.mark.usefixtures("host_mode")
async def test_publishing_all_ports_in_host_mode_is_discarded_without_a_warning(
    engine: DockerEngine, made: dict[str, str]
) -> None:
    created = await engine.create_container("one", config(ArmSpec("web", Mode.HOST, publish_all=True)))
    assert created.warnings == ()


@pytest.mark.usefixtures("docker")
async def test_a_taken_port_is_refused_at_start_in_dockers_words(engine: DockerEngine, made: dict[str, str]) -> None:
    arm = ArmSpec("web", Mode.BRIDGE, publish=(Publish(80, 8080),))
    for name in ("one", "two"):
        await engine.create_container(name, config(arm, name))
    await engine.start_container("one")
    with pytest.raises(EngineError, match="port is already allocated") as refused:
        await engine.start_container("two")
    assert "Server Error" not in str(refused.value)
    assert "http" not in str(refused.value)
    facts = await engine.inspect_container("two")
    assert facts.status == "created"
    assert "port is already allocated" in facts.error


@pytest.mark.usefixtures("docker")
async def test_a_taken_name_is_refused_with_a_conflict(engine: DockerEngine, made: dict[str, str]) -> None:
    await engine.create_container("one", config(ArmSpec("web", Mode.NONE)))
    with pytest.raises(EngineError, match="already in use") as refused:
        await engine.create_container("one", config(ArmSpec("web", Mode.NONE)))
    assert refused.value.status == 409


@pytest.mark.usefixtures("docker", "host_mode")
async def test_a_sysctl_of_the_network_is_refused_in_host_mode(engine: DockerEngine, made: dict[str, str]) -> None:
    arm = ArmSpec("web", Mode.HOST, sysctls={"net.ipv4.ip_forward": "1"})
    await engine.create_container("one", config(arm))
    with pytest.raises(EngineError, match="not allowed in host network namespace"):
        await engine.start_container("one")


@pytest.mark.usefixtures("docker")
async def test_an_arm_is_found_by_its_key_on_the_experiments_network(
    engine: DockerEngine, made: dict[str, str], engine_host: PrivateEngine
) -> None:
    request = network_request(Mode.USER_BRIDGE)
    network = await engine.create_network("lab-net", request.driver, LABELS, request.options)
    arm = ArmSpec("web", Mode.USER_BRIDGE)
    await engine.create_container("one", config(arm, network="lab-net"))
    await engine.start_container("one")
    fetch = ("exec", "one", "wget", "-qO-", "http://web/")
    await eventually(lambda: engine_host.try_docker(*fetch).stdout.startswith("<!doctype html>"))
    (facts,) = await engine.networks(LABELS)
    assert (facts.id, facts.name, facts.driver, facts.bridge) == (network, "lab-net", "bridge", f"br-{network[:12]}")
    assert facts.subnet
    assert engine_host.try_on_machine("ip", "link", "show", f"br-{network[:12]}").returncode == 0
    await engine.remove_container("one")
    await engine.remove_network(network)
    await engine.remove_network(network)
    assert await engine.networks(LABELS) == ()


async def test_a_second_network_of_one_name_is_refused(engine: DockerEngine, made: dict[str, str]) -> None:
    await engine.create_network("lab-net", "bridge", LABELS, {})
    with pytest.raises(EngineError, match="already exists") as refused:
        await engine.create_network("lab-net", "bridge", LABELS, {})
    assert refused.value.status == 409
    assert [network.name for network in await engine.networks(LABELS)] == ["lab-net"]


@pytest.mark.usefixtures("docker")
async def test_a_shared_namespace_has_the_same_sandbox(engine: DockerEngine, made: dict[str, str]) -> None:
    owner = await engine.create_container("one", config(ArmSpec("web", Mode.BRIDGE)))
    await engine.start_container("one")
    guest = config(
        ArmSpec("guest", Mode.CONTAINER, target="web", command=("sleep", "60")), "two", target_container=owner.id
    )
    await engine.create_container("two", guest)
    await engine.start_container("two")
    facts = await engine.inspect_container("two")
    assert facts.network_mode == f"container:{owner.id}"
    assert facts.networks == {}


async def test_a_macvlan_network_takes_its_parent_and_subnet(engine: DockerEngine, made: dict[str, str]) -> None:
    if (await engine.info()).rootless:
        pytest.skip("eth0 of the machine is not in RootlessKit's namespace")
    request = network_request(Mode.MACVLAN, parent="eth0", subnet="10.213.7.0/24")
    await engine.create_network("lab-macvlan", request.driver, LABELS, request.options)
    await engine.create_container("one", config(ArmSpec("web", Mode.MACVLAN), network="lab-macvlan"))
    await engine.start_container("one")
    facts = await engine.inspect_container("one")
    assert facts.networks["lab-macvlan"].startswith("10.213.7.")
    (network,) = await engine.networks(LABELS)
    assert (network.subnet, network.bridge) == ("10.213.7.0/24", None)


async def test_containers_are_found_by_exactly_their_labels(engine: DockerEngine, made: dict[str, str]) -> None:
    await engine.create_container("one", config(ArmSpec("web", Mode.NONE)))
    assert [one.name for one in await engine.containers(LABELS)] == ["one"]
    assert await engine.containers(LABELS | {"other": "1"}) == ()
    assert await engine.containers({"netmodes.test": "docker"}) == ()


async def test_the_exit_code_and_the_last_words_of_a_program_are_kept(
    engine: DockerEngine, made: dict[str, str]
) -> None:
    command = ("sh", "-c", "printf 'first\\n\\377bad\\n' ; echo last >&2; exit 3")
    await engine.create_container("one", config(ArmSpec("web", Mode.NONE, command=command)))
    await engine.start_container("one")

    async def ended() -> bool:
        return (await engine.inspect_container("one")).exit_code == 3

    await eventually(ended)
    assert sorted(await engine.container_logs("one")) == ["first", "last", "\ufffdbad"]
    assert len(await engine.container_logs("one", lines=1)) == 1
    assert await engine.container_logs("one", lines=0) == ()


async def test_a_program_that_ignores_the_signal_is_killed_after_its_grace(
    engine: DockerEngine, made: dict[str, str]
) -> None:
    arm = ArmSpec("web", Mode.NONE, command=("sh", "-c", "trap '' QUIT TERM; echo ready; while :; do sleep 1; done"))
    await engine.create_container("one", config(arm))
    await engine.start_container("one")
    # Until the program ignores the signal, it would end at once.
    await eventually(lambda: engine.container_logs("one"))
    begun = time.monotonic()
    await engine.stop_container("one", grace_s=1)
    assert time.monotonic() - begun > 0.9
    assert (await engine.inspect_container("one")).exit_code == 137
    await engine.stop_container("one")


@pytest.mark.usefixtures("docker")
async def test_images_are_named_and_an_unknown_one_is_missing(engine: DockerEngine) -> None:
    images = await engine.images()
    assert any("nginx:latest" in one.tags for one in images)
    assert await engine.image("no-such-image") is None
    await engine.tag_image("nginx", "netmodes-test:tagged")
    tagged = await engine.image("netmodes-test:tagged")
    assert tagged is not None
    assert "nginx:latest" in tagged.tags


async def test_an_archive_becomes_an_image(engine: DockerEngine, engine_host: PrivateEngine, tmp_path: Path) -> None:
    archive = tmp_path / "empty.tar"
    archive.write_bytes(bytes(10240))
    identity = await engine.import_image(str(archive), "netmodes-test:empty", ("EXPOSE 99/udp",))
    image = await engine.image("netmodes-test:empty")
    assert image is not None
    assert image.id == identity
    assert "99/udp" in engine_host.docker("inspect", "--format", "{{json .Config.ExposedPorts}}", identity)
    engine_host.docker("rmi", "netmodes-test:empty")


async def test_an_invalid_archive_is_refused(engine: DockerEngine, tmp_path: Path) -> None:
    archive = tmp_path / "bad.tar"
    archive.write_bytes(b"this is not an archive" * 1000)
    with pytest.raises(EngineError):
        await engine.import_image(str(archive), "netmodes-test:bad", ())


async def test_a_pull_without_a_registry_reports_it(engine: DockerEngine) -> None:
    with pytest.raises(EngineUnreachable, match="No registry answer"):
        async for _step in engine.pull("netmodes-nowhere/image:1"):
            pass


async def test_no_socket_no_engine_and_no_permission_are_distinguished(tmp_path: Path) -> None:
    engine = DockerEngine(f"unix://{tmp_path}/none.sock")
    with pytest.raises(EngineUnreachable, match=r"No Docker Engine answers at .*none\.sock\. Start it"):
        await engine.info()
    await engine.close()
    engine = DockerEngine("tcp://127.0.0.1:1")
    with pytest.raises(EngineUnreachable, match=r"No Docker Engine answers at tcp://127\.0\.0\.1:1"):
        await engine.info()
    await engine.close()


async def test_a_closed_connection_refuses_calls_and_may_be_closed_again(engine_host: PrivateEngine) -> None:
    engine = DockerEngine(engine_host.endpoint)
    await engine.info()
    await engine.close()
    await engine.close()
    with pytest.raises(EngineUnreachable, match="closed"):
        await engine.info()


async def test_many_calls_at_once_are_all_answered(engine_host: PrivateEngine, facts: EngineFacts) -> None:
    # Podman answers one request after the other: on busy cores ten take longer than 15 s.
    calls, limit_s = (60, 15.0) if facts.kind is EngineKind.DOCKER else (10, 60.0)
    engine = DockerEngine(engine_host.endpoint, timeout_s=limit_s)
    try:
        answers = await asyncio.gather(*(engine.networks({}) for _ in range(calls)))
    finally:
        await engine.close()
    assert len({len(one) for one in answers}) == 1
