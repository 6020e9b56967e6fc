"""An engine with invalid responses: every call returns a value or raises EngineError, in bounded time and memory."""

from __future__ import annotations

import asyncio
import json
import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from dashboard.engine import docker_engine
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.event_stream import FIRST_PAUSE_S
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.protocol import EngineError, EngineUnreachable
from tests.engine.fake_engine import fake_engine, http, version
from tests.support.polling import DEADLINE_S, eventually

NAMES = (
    "Id", "ID", "Name", "State", "Pid", "HostConfig", "Config", "NetworkSettings", "Networks", "Ports", "RepoTags",
    "Warnings", "message", "ApiVersion", "IPAM", "Labels", "Tty", "80/tcp",
)  # fmt: skip


def nonsense(chance: random.Random, depth: int = 0) -> Any:
    kinds = 8 if depth < 4 else 6
    match chance.randrange(kinds):
        case 0:
            return None
        case 1:
            return chance.choice([True, False])
        case 2:
            return chance.randrange(-(2**70), 2**70)
        case 3:
            return chance.random() * 1e300
        case 4 | 5:
            return chance.choice(["", "\0", "\x1b[31m", "x" * 300, "\ud800", "running", "a/b"])
        case 6:
            return [nonsense(chance, depth + 1) for _ in range(chance.randrange(4))]
        case _:
            return {chance.choice(NAMES): nonsense(chance, depth + 1) for _ in range(chance.randrange(6))}


def hostile_answer(chance: random.Random) -> bytes:
    body = json.dumps(nonsense(chance)).encode()
    match chance.randrange(12):
        case 0:
            return chance.randbytes(40)
        case 1:
            return http(chance.randbytes(100))
        case 2:
            return http(body[: len(body) // 2])
        case 3:
            return b""
        case 4:
            return http(body, status=chance.choice([100, 204, 301, 302, 304, 307, 418, 599]))
        case 5:
            return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
        case 6:
            return http(b"[" * 100_000)
        case 7 | 8:
            return http(body, status=chance.choice([400, 404, 409, 500]))
        case _:
            return http(body)


@pytest.mark.parametrize("answers", [500, pytest.param(2000, marks=pytest.mark.slow)])
async def test_hostile_answers_end_in_values_or_engine_errors(tmp_path: Path, answers: int) -> None:
    chance = random.Random(7)

    def respond(method: str, path: str) -> bytes:
        if path == "/version" and chance.random() < 0.9:
            return version()
        return hostile_answer(chance)

    with fake_engine(tmp_path, respond) as fake:
        engine = DockerEngine(fake.endpoint, timeout_s=0.1)
        outcomes = {"value": 0, "error": 0}
        words: list[str] = []
        while len(fake.requests) < answers:
            for call in (
                engine.info(),
                engine.inspect_container("x"),
                engine.create_container("x", {"Image": "y"}),
                engine.start_container("x"),
                engine.stop_container("x", grace_s=0),
                engine.remove_container("x"),
                engine.container_logs("x"),
                engine.containers({"a": "b"}),
                engine.networks({}),
                engine.create_network("x", "bridge", {}, {}),
                engine.images(),
                engine.image("x"),
                engine.tag_image("x", "y:1"),
            ):
                try:
                    await call
                    outcomes["value"] += 1
                except EngineError as error:
                    outcomes["error"] += 1
                    words.append(str(error))
        await engine.close()
    assert all(0 < len(one) < 5000 for one in words)
    assert min(outcomes.values()) > answers // 20


def own_pid(_method: str, path: str) -> bytes:
    """An engine that gives the pid of this process as that of its container, and claims to be rootless."""
    if path == "/version":
        return version()
    if path.endswith("/info"):
        return http(b'{"SecurityOptions": ["name=rootless"]}')
    return http(json.dumps({"Id": "c", "State": {"Running": True, "Pid": os.getpid()}}).encode())


async def test_without_a_known_daemon_a_reported_pid_is_no_pid_of_this_machine(tmp_path: Path) -> None:
    with fake_engine(tmp_path, own_pid) as fake:
        async with DockerEngine(fake.endpoint, timeout_s=DEADLINE_S) as engine:
            facts = await engine.inspect_container("c")
    assert (facts.running, facts.pid) == (True, 0)


@pytest.mark.parametrize("owner", [0, 524288])
async def test_a_process_outside_a_host_in_a_user_namespace_is_not_its_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: int
) -> None:
    pid = 0 if owner else os.getpid()
    monkeypatch.setattr(docker_engine, "find_daemon", lambda _endpoint, _kind: os.getpid())
    host = PrivateHost("abc", 1, 1, "", 1.0, tmp_path, 1, owner=owner)
    with fake_engine(tmp_path, own_pid) as fake:
        async with DockerEngine(fake.endpoint, timeout_s=DEADLINE_S, host=host) as engine:
            info, facts = await engine.info(), await engine.inspect_container("c")
    assert (info.pid or 0, facts.pid, info.rootless) == (pid, pid, owner == 0)


async def test_an_answer_without_an_end_is_cut_off(tmp_path: Path) -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n" + b" " * (33 << 20)
    with fake_engine(tmp_path, lambda _m, path: version() if path == "/version" else endless) as fake:
        engine = DockerEngine(fake.endpoint, timeout_s=DEADLINE_S)
        with pytest.raises(EngineError, match="more than 32 MB"):
            await engine.networks({})
        await engine.close()


async def test_a_start_with_its_own_deadline_waits_longer_than_other_calls(tmp_path: Path) -> None:
    closed = threading.Event()

    def respond(_method: str, path: str) -> bytes:
        if path == "/version":
            return version()
        closed.wait(0.8)
        return http(b'{"message":"attaching to network failed"}', 500)

    with fake_engine(tmp_path, respond) as fake:
        engine = DockerEngine(fake.endpoint, timeout_s=0.3)
        with pytest.raises(EngineUnreachable, match=r"did not answer within 0\.3 s"):
            await engine.start_container("one")
        with pytest.raises(EngineUnreachable, match=r"did not answer within 0\.4 s"):
            await engine.start_container("one", 0.4)
        with pytest.raises(EngineError, match="attaching to network failed") as refused:
            await engine.start_container("one", DEADLINE_S)
        assert refused.value.status == 500
        assert fake.requests[-1] == ("POST", "/v1.45/containers/one/start")
        closed.set()
        await engine.close()


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    away = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\n[]"
    with fake_engine(tmp_path, lambda _m, path: version() if path == "/version" else away) as fake:
        engine = DockerEngine(fake.endpoint, timeout_s=20)
        assert await engine.networks({}) == ()
        assert len(fake.requests) == 2
        await engine.close()


async def test_output_of_a_command_that_arrives_with_the_headers_is_read(tmp_path: Path) -> None:
    frames = b"\1\0\0\0\0\0\0\5said\n\2\0\0\0\0\0\0\3oh\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"

    def respond(_method: str, path: str) -> bytes:
        if path == "/version":
            return version()
        if path.endswith("/start"):
            return head + frames
        return http(b'{"ExitCode":3}') if path.endswith("/json") else http(b'{"Id":"7"}', 201)

    with fake_engine(tmp_path, respond) as fake:
        fake.closes_after = "/start"
        engine = DockerEngine(fake.endpoint)
        assert await engine.execute("one", ("echo", "said")) == (3, "said\noh\n")
        await engine.close()


async def test_an_old_engine_is_asked_to_refuse_a_second_network_of_one_name(tmp_path: Path) -> None:
    """Engines before API 1.44 create it otherwise."""
    old = http(b'{"ApiVersion":"1.41","Version":"20.10.24"}')
    with fake_engine(tmp_path, lambda _m, path: old if path == "/version" else http(b'{"Id":"7"}', 201)) as fake:
        engine = DockerEngine(fake.endpoint)
        assert await engine.create_network("lab", "bridge", {}, {}) == "7"
        assert json.loads(fake.bodies[-1])["CheckDuplicate"] is True
        await engine.close()


async def test_the_api_version_is_negotiated_once(tmp_path: Path) -> None:
    with fake_engine(tmp_path, lambda _m, path: version() if path == "/version" else http(b"[]")) as fake:
        engine = DockerEngine(fake.endpoint)
        for _ in range(5):
            await engine.networks({})
        assert [path for _, path in fake.requests].count("/version") == 1
        assert all(path == "/version" or path.startswith("/v1.45/networks") for _, path in fake.requests)
        await engine.close()


async def test_a_pull_is_given_up_if_the_registry_does_not_answer_in_time(tmp_path: Path) -> None:
    def respond(_method: str, path: str) -> bytes:
        return version() if path == "/version" else b"HTTP/1.1 200 OK\r\n"  # and never the rest

    with fake_engine(tmp_path, respond) as fake:
        engine = DockerEngine(fake.endpoint)
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(EngineUnreachable, match=r"No registry answered within 0\.3 s"):
                async for _step in engine.pull("nginx", wait_s=0.3):
                    pass
        await engine.close()


async def test_a_pull_that_is_stopped_before_the_registry_answers_leaves_no_connection(tmp_path: Path) -> None:
    answers = threading.Event()

    def respond(_method: str, path: str) -> bytes:
        if path == "/version":
            return version()
        answers.wait(DEADLINE_S)
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    with fake_engine(tmp_path, respond) as fake:
        engine = DockerEngine(fake.endpoint)
        pull = asyncio.ensure_future(anext(aiter(engine.pull("nginx"))))
        await eventually(lambda: any("images/create" in path for _, path in fake.requests))
        pull.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pull
        answers.set()
        await eventually(lambda: all(peer.fileno() == -1 for peer in fake._open))
        await eventually(lambda: engine._pulls == set())  # a thread removes the pull after it has closed the connection
        await engine.close()


async def test_a_pull_reports_its_steps_and_the_registrys_refusal(tmp_path: Path) -> None:
    lines = (
        b'{"status":"Pulling from library/nginx","id":"latest"}\r\n'
        b'{"status":"Downloading","progressDetail":{"current":1,"total":2},"id":"abc"}\r\n'
        b'{"errorDetail":{"message":"toomanyrequests: slow down"},"error":"toomanyrequests: slow down"}\r\n'
    )
    with fake_engine(tmp_path, lambda _m, path: version() if path == "/version" else http(lines)) as fake:
        engine = DockerEngine(fake.endpoint)
        steps = []

        async def pull() -> None:
            async for step in engine.pull("registry.example:5000/team/nginx:1"):
                steps.append(step)  # noqa: PERF401  the stream ends in an error

        with pytest.raises(EngineError, match="toomanyrequests") as refused:
            await pull()
        assert [(step.text, step.fraction) for step in steps] == [
            ("latest Pulling from library/nginx", None),
            ("abc Downloading", 0.5),
        ]
        assert not isinstance(refused.value, EngineUnreachable)
        assert "fromImage=registry.example%3A5000%2Fteam%2Fnginx&tag=1" in fake.requests[-1][1]
        await engine.close()


async def test_events_are_requested_again_with_growing_pauses_if_the_engine_closes_at_once(tmp_path: Path) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    with fake_engine(tmp_path, lambda _m, path: version() if path == "/version" else chunked) as fake:
        engine = DockerEngine(fake.endpoint)
        seen: list[str] = []
        begun = time.monotonic()
        async for event in engine.events():
            seen.append(event.action)
            if len(seen) == 6:
                break
        assert seen == ["connected", "lost"] * 3
        subscriptions = len([path for _, path in fake.requests if "/events" in path])
        assert subscriptions <= 1 + (time.monotonic() - begun) / FIRST_PAUSE_S
        await engine.close()


async def test_bytes_that_arrive_slowly_do_not_extend_the_deadline_of_a_call(tmp_path: Path) -> None:
    def respond(_method: str, path: str) -> bytes:
        return version() if path == "/version" else b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n["

    with fake_engine(tmp_path, respond) as fake:
        engine = DockerEngine(fake.endpoint, timeout_s=0.3)
        with pytest.raises(EngineUnreachable, match="did not answer within"):
            await engine.networks({})
        await engine.close()


@pytest.mark.filterwarnings("ignore:docker-credential-missing not installed")
async def test_a_missing_credential_helper_is_not_taken_for_an_engine_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text('{"credsStore": "missing"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with fake_engine(tmp_path, lambda _m, path: version() if path == "/version" else http(b"[]")) as fake:
        engine = DockerEngine(fake.endpoint)
        with pytest.raises(EngineError, match=r"docker-credential-missing not installed.*Install") as refused:
            await anext(engine.pull("registry.example/team/app"))
        assert not isinstance(refused.value, EngineUnreachable)
        assert await engine.networks({}) == ()
        await engine.close()


@pytest.mark.parametrize("answer", ["", "{}", '{"Username": "a", "Secret": "b"'])
async def test_an_invalid_answer_of_a_credential_helper_is_not_taken_for_one_of_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    helper = tmp_path / "docker-credential-broken"
    helper.write_text(f"#!/bin/sh\necho '{answer}'\n")
    helper.chmod(0o755)
    (tmp_path / "config.json").write_text('{"credsStore": "broken"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with fake_engine(tmp_path, lambda _m, _path: version()) as fake:
        engine = DockerEngine(fake.endpoint)
        with pytest.raises(EngineError, match=r"The credentials for registry\.example cannot be read"):
            await anext(engine.pull("registry.example/team/app"))
        await engine.close()
