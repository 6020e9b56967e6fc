"""Engines that differ from the one at hand: Docker Engine 29, engines that are too old or too new, and engines whose
answers are errors, late, incomplete or have unknown fields.

The changes are those of the Engine's API history (1.44 to 1.52).
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from dashboard.core.experiments.docker_run import parse_run
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.protocol import EngineError
from dashboard.lab.doctor import examine
from tests.engine.fake_engine import FakeEngine, Respond, fake_engine, http

MAC = "02:42:ac:11:00:99"
RUN = parse_run(f"docker run --mac-address {MAC} nginx").config
#: How Docker Engine 29.5 answers /info, shortened.
INFO_29 = {
    "OperatingSystem": "Debian GNU/Linux",
    "FirewallBackend": {
        "Driver": "nftables+firewalld",
        "Info": [["EnableUserlandProxy", "true"], ["UserlandProxyPath", "/usr/bin/docker-proxy"]],
    },
    "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
    "Containerd": {"Address": "/run/containerd/containerd.sock"},
    "DiscoveredDevices": [],
}
#: A container as API 1.52 shows it: the fields of the default bridge are gone.
CONTAINER_29 = {
    "Id": "c" * 64,
    "Name": "/web",
    "State": {"Status": "running", "Running": True, "Pid": 7, "Health": None},
    "Config": {"Image": "nginx"},
    "HostConfig": {"NetworkMode": "bridge"},
    "NetworkSettings": {
        "SandboxKey": "/var/run/docker/netns/0",
        "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]},
        "Networks": {"bridge": {"IPAddress": "172.17.0.2", "GwPriority": 0, "DNSNames": None}},
    },
    "ImageManifestDescriptor": {"digest": "sha256:0"},
}


def json_answer(value: object, status: int = 200) -> bytes:
    return http(json.dumps(value).encode(), status)


def engine_29(fake: Callable[[], FakeEngine]) -> Respond:
    """How Docker Engine 29.5 responds: minimum API 1.44, newest 1.52."""

    def respond(method: str, path: str) -> bytes:
        if path == "/version":
            return json_answer({"Version": "29.5.0", "ApiVersion": "1.52", "MinAPIVersion": "1.44"})
        asked = re.match(r"/v1\.(\d+)/", path)
        if asked is None or not 44 <= int(asked[1]) <= 52:
            return json_answer({"message": "client version is too old. Minimum supported API version is 1.44"}, 400)
        if "/containers/create" in path:
            if "MacAddress" in json.loads(fake().bodies[-1]):
                return json_answer({"message": "container-wide MAC address no longer supported"}, 400)
            return json_answer({"Id": "c" * 64, "Warnings": None}, 201)
        if path.endswith("/info"):
            return json_answer(INFO_29)
        if "/events" in path:
            event = json.dumps({"Type": "container", "Action": "start", "Actor": {"ID": "abc"}}).encode() + b"\n"
            return http(event, kind="application/x-ndjson")
        return json_answer(CONTAINER_29 if "/json" in path else [])

    return respond


@pytest.fixture
async def new(tmp_path: Path) -> AsyncIterator[tuple[DockerEngine, FakeEngine]]:
    """A client and an engine that behaves as Docker Engine 29.5."""
    with fake_engine(tmp_path, lambda _method, _path: b"") as fake:
        fake.respond = engine_29(lambda: fake)
        engine = DockerEngine(fake.endpoint, timeout_s=20)
        yield engine, fake
        await engine.close()


async def test_the_minimum_api_of_29_is_met(new: tuple[DockerEngine, FakeEngine]) -> None:
    engine, fake = new
    assert (await engine.info()).api == "1.52"
    assert await engine.networks({}) == ()
    assert {path.split("/")[1] for _, path in fake.requests} == {"version", "v1.52"}


async def test_a_hardware_address_is_sent_with_the_endpoint(new: tuple[DockerEngine, FakeEngine]) -> None:
    engine, fake = new
    assert (await engine.create_container("web", RUN)).id == "c" * 64
    body = json.loads(fake.bodies[-1])
    assert body["NetworkingConfig"]["EndpointsConfig"]["bridge"]["MacAddress"] == MAC


@pytest.mark.parametrize(("api", "sent"), [("1.41", True), ("1.43", True), ("1.44", False), ("1.51", False)])
async def test_a_hardware_address_belongs_to_the_container_before_api_1_44(
    tmp_path: Path, api: str, *, sent: bool
) -> None:
    def respond(_method: str, path: str) -> bytes:
        return json_answer({"ApiVersion": api}) if path == "/version" else json_answer({"Id": "c"}, 201)

    with fake_engine(tmp_path, respond) as fake:
        engine = DockerEngine(fake.endpoint, timeout_s=20)
        await engine.create_container("web", RUN)
        assert ("MacAddress" in json.loads(fake.bodies[-1])) is sent
        await engine.close()


async def test_the_firewall_backend_with_firewalld_is_nftables_too(new: tuple[DockerEngine, FakeEngine]) -> None:
    info = await new[0].info()
    assert info.firewall_backend == "nftables+firewalld"
    assert info.nftables
    assert info.userland_proxy is True


async def test_addresses_are_those_of_networks(new: tuple[DockerEngine, FakeEngine]) -> None:
    facts = await new[0].inspect_container("web")
    assert facts.networks == {"bridge": "172.17.0.2"}
    assert [port.host_port for port in facts.published] == [8080]


async def test_events_are_asked_for_as_lines(new: tuple[DockerEngine, FakeEngine]) -> None:
    engine, fake = new
    events = engine.events()
    assert [(await anext(events)).action for _ in range(2)] == ["connected", "start"]
    assert any("/events" in head and "Accept: application/x-ndjson" in head for head in fake.heads)


async def test_nftables_has_no_overlay(new: tuple[DockerEngine, FakeEngine]) -> None:
    report = await examine(new[0], private=False)
    overlay = next(mode for mode in report.modes if mode.mode == "overlay")
    assert not overlay.available


# Engines that cannot be used, or hardly.


async def problem_of(folder: Path, respond: Respond, timeout_s: float = 20.0) -> str:
    """The detail of the doctor's check of this engine, which must be one sentence with its remedy."""
    with fake_engine(folder, respond) as fake:
        engine = DockerEngine(fake.endpoint, timeout_s=timeout_s)
        with pytest.raises(EngineError) as refused:
            await engine.info()
        report = await examine(engine, private=False)
        await engine.close()
    assert report.engine is None
    assert not any(mode.available for mode in report.modes)
    detail = next(check.detail for check in report.checks if check.name == "engine")
    assert detail == str(refused.value)
    assert "\n" not in detail
    assert "Traceback" not in detail
    return detail


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (
            {"Version": "19.03.15", "ApiVersion": "1.40"},
            "Docker Engine 19.03.15 at .* API 1.40, .* update it to Docker",
        ),
        ({"ApiVersion": "1.12"}, "of an unknown version .* API 1.12"),
        ({"Version": "40.0", "ApiVersion": "1.90", "MinAPIVersion": "1.60"}, "API 1.60 or later, .* update Netmodes"),
        ({"Version": "26.1.5"}, "is not a Docker Engine: .* Check DOCKER_HOST"),
        ({"ApiVersion": "x.y"}, "is not a Docker Engine"),
        ({"ApiVersion": 1.45}, "is not a Docker Engine"),
        ([], "is not a Docker Engine"),
        (None, "is not a Docker Engine"),
    ],
)
async def test_an_engine_without_a_usable_api_is_refused_in_one_sentence(
    tmp_path: Path, version: Any, words: str
) -> None:
    assert re.search(words, await problem_of(tmp_path, lambda _method, _path: json_answer(version)))


async def test_an_engine_whose_api_is_newer_is_asked_in_the_newest_known_version(tmp_path: Path) -> None:
    def respond(_method: str, path: str) -> bytes:
        if path == "/version":
            return json_answer({"ApiVersion": "1.77", "MinAPIVersion": "1.50"})
        return json_answer([])

    with fake_engine(tmp_path, respond) as fake:
        engine = DockerEngine(fake.endpoint, timeout_s=20)
        await engine.networks({})
        assert fake.requests[-1][1].startswith("/v1.52/networks")
        await engine.close()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "The Engine answered with status 500: read its log."),
        (b'{"message":"driver failed"}', "driver failed"),
        (b"<html>Bad Gateway</html>", "The Engine answered with status 500: read its log."),
    ],
)
@pytest.mark.parametrize("at_version", [True, False])
async def test_an_engine_that_answers_500_is_described_in_a_sentence(
    tmp_path: Path, body: bytes, words: str, *, at_version: bool
) -> None:
    def respond(_method: str, path: str) -> bytes:
        if path == "/version" and not at_version:
            return json_answer({"Version": "29.0.0", "ApiVersion": "1.52"})
        kind = "application/json" if body.startswith(b"{") else "text/html"
        return http(body, 500, kind)

    assert await problem_of(tmp_path, respond) == words


async def test_an_engine_that_answers_too_slowly_is_described_in_a_sentence(tmp_path: Path) -> None:
    detail = await problem_of(tmp_path, lambda _method, _path: b"HTTP/1.1 200 OK\r\n", timeout_s=0.2)
    assert "did not answer within 0.2 s" in detail


@pytest.mark.parametrize("filler", [{}, {"Invented": {"By": ["a", "later", "engine"]}}])
async def test_missing_and_unknown_fields_are_no_error(tmp_path: Path, filler: dict[str, Any]) -> None:
    def respond(_method: str, path: str) -> bytes:
        if path == "/version":
            return json_answer({"ApiVersion": "1.44", **filler})
        listed = "networks" in path or "images" in path
        return json_answer([{"Id": "7", **filler}] if listed else filler)

    with fake_engine(tmp_path, respond) as fake:
        engine = DockerEngine(fake.endpoint, timeout_s=20)
        info = await engine.info()
        assert (info.version, info.firewall_backend, info.nftables, info.userland_proxy) == (
            "",
            "iptables",
            False,
            None,
        )
        facts = await engine.inspect_container("web")
        assert (facts.running, facts.pid, facts.networks) == (False, 0, {})
        assert len(await engine.networks({})) == 1
        assert await engine.images() == ()
        with pytest.raises(EngineError, match="returned no id"):
            await engine.create_container("web", {"Image": "x"})
        assert (await examine(engine, private=False)).engine is not None
        await engine.close()


@pytest.mark.parametrize(
    ("listed", "words"),
    [([{"Names": ["/web"]}], "listed a {} without an id"), ({"Items": []}, "did not answer with a list of {}s")],
)
async def test_a_list_entry_without_an_id_is_an_error_and_not_a_removal(
    tmp_path: Path, listed: Any, words: str
) -> None:
    def respond(_method: str, path: str) -> bytes:
        return json_answer({"ApiVersion": "1.44"} if path == "/version" else listed)

    with fake_engine(tmp_path, respond) as fake:
        engine = DockerEngine(fake.endpoint)
        with pytest.raises(EngineError, match=words.format("container")):
            await engine.containers({})
        with pytest.raises(EngineError, match=words.format("network")):
            await engine.networks({})
        await engine.close()


async def test_a_listed_container_keeps_its_id_where_inspect_lacks_it(tmp_path: Path) -> None:
    def respond(_method: str, path: str) -> bytes:
        if path == "/version":
            return json_answer({"ApiVersion": "1.44"})
        return json_answer([{"Id": "7"}] if "/containers/json" in path else {"Name": "/web"})

    with fake_engine(tmp_path, respond) as fake:
        engine = DockerEngine(fake.endpoint)
        assert [(one.id, one.name) for one in await engine.containers({})] == [("7", "web")]
        await engine.close()


@pytest.mark.parametrize(("component", "killed"), [("Podman Engine", ["POST"]), ("Engine", [])])
async def test_podman_kills_a_container_before_it_removes_it(tmp_path: Path, component: str, killed: list[str]) -> None:
    """Podman's removal sends the stop signal and waits; Docker's kills at once. It is no error if the container does
    not run."""
    version = {"ApiVersion": "1.45", "Version": "26.1.5", "Components": [{"Name": component, "Version": "5.4.2"}]}

    def respond(method: str, path: str) -> bytes:
        if path.endswith("/version"):
            return json_answer(version)
        if path.endswith("/kill"):
            return json_answer({"message": "container is not running"}, 409)
        return json_answer({}) if method == "GET" else http(b"", 204)

    with fake_engine(tmp_path, respond) as fake:
        engine = DockerEngine(fake.endpoint)
        await engine.info()
        fake.requests.clear()
        await engine.remove_container("web")
        await engine.close()
    methods = [method for method, path in fake.requests if "/containers/web" in path]
    assert methods == [*killed, "DELETE"]


async def test_a_container_that_podman_removed_meanwhile_is_omitted(tmp_path: Path) -> None:
    """Podman 5.4 answers 500 about a container that it removed between the list and the request."""

    def respond(_method: str, path: str) -> bytes:
        if path.endswith("/version"):
            return json_answer({"ApiVersion": "1.41", "Version": "5.4.2"})
        if "/containers/json" in path:
            return json_answer([{"Id": "c" * 64}])
        return json_answer({"message": f"no container with ID {'c' * 64} found in database: no such container"}, 500)

    with fake_engine(tmp_path, respond) as fake:
        engine = DockerEngine(fake.endpoint)
        assert await engine.containers({}) == ()
        with pytest.raises(EngineError, match="no such container") as refused:
            await engine.inspect_container("c")
        await engine.close()
    assert refused.value.status == 404
