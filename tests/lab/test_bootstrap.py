"""Opening a lab: on an existing engine, otherwise on a private host."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts.private_host import list_hosts
from dashboard.engine.protocol import EngineUnreachable
from dashboard.lab import bootstrap
from dashboard.lab.bootstrap import NullPublisher, endpoint, open_context, open_engine
from tests.support.private_engine import PrivateEngine

said: list[str] = []


def test_the_endpoint_is_docker_host_or_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///x/docker.sock")
    assert endpoint() == "unix:///x/docker.sock"
    monkeypatch.setenv("DOCKER_HOST", "")
    assert endpoint().startswith("unix://")


async def test_an_engine_that_answers_is_used_as_it_is(
    engine_host: PrivateEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine_host.endpoint)
    async with AsyncExitStack() as stack:
        context = await open_context(stack, tmp_path, said.append)
        assert (context.private, context.temporary) == (False, False)
        assert context.info.pid == engine_host.pid
        assert context.ref.endpoint == engine_host.endpoint
        assert context.installation
        NullPublisher().wake("x")
        NullPublisher().trouble("x", "y")
    async with AsyncExitStack() as stack:
        context = await open_context(stack, engine_host.data_dir, said.append)
        assert (context.private, context.temporary) == (True, False), "a private host, but not this process's"


async def test_a_named_engine_that_does_not_answer_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with pytest.raises(EngineUnreachable, match="No Docker Engine answers"):
        async with AsyncExitStack() as stack:
            await open_engine(stack, tmp_path, said.append)


async def test_without_an_engine_a_private_host_is_started_and_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(bootstrap, "DEFAULT_ENDPOINT", f"unix://{tmp_path}/docker.sock")
    left = tmp_path / "hosts" / "dead"
    left.mkdir(parents=True)
    lines: list[str] = []
    async with AsyncExitStack() as stack:
        with pytest.raises(EngineUnreachable):
            await open_engine(stack, tmp_path, lines.append, may_start_private=False)
        engine, passing = await open_engine(stack, tmp_path, lines.append)
        assert passing
        assert isinstance(engine, DockerEngine)
        (host,) = list_hosts(tmp_path)
        assert (await engine.info()).pid == host.pid
        assert any("private host" in line for line in lines)
        assert not left.exists(), "what a dead one left behind is removed first"
    assert list_hosts(tmp_path) == ()
