"""The image of the hosts of a LAN."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.engine import docker_engine
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.lans.images import add_image
from tests.support.fakes import FakeEngine


async def test_the_lab_image_is_loaded_as_nginx(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = FakeEngine()
    fake.add_image("netmodes-lab:1")
    asked: list[str] = []

    def connect(endpoint: str) -> FakeEngine:
        asked.append(endpoint)
        return fake

    monkeypatch.setattr(docker_engine, "DockerEngine", connect)
    await add_image(PrivateHost("a", 1, 1, "/run/a/docker.sock", 1.0, tmp_path, 1), tmp_path, lambda _text: None)
    assert asked == ["unix:///run/a/docker.sock"]
    assert await fake.image("nginx") is not None
