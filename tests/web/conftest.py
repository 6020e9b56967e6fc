"""Fixtures of the web tests: a signed-in user, and a lab on an engine in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.web.asgi_client import Person, person
from tests.web.own_host import lab_here

NO_ENGINE = "unix:///nonexistent/docker.sock"


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides the machine's own engine from pages."""
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)


@pytest.fixture
async def me() -> Person:
    """A signed-in user whose requests go through all layers of the application."""
    return await person()


@pytest.fixture
def owner() -> Client:
    """The signed-in owner with Django's test client, which is quicker."""
    client = Client()
    client.force_login(get_user_model().objects.create(username="owner"))
    return client


@pytest.fixture
def engine() -> FakeEngine:
    """An engine in memory."""
    return FakeEngine("nginx")


@pytest.fixture
async def lab_harness(engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LabHarness]:
    """A lab behind the pages, on ``engine``."""
    async with lab_here(engine, tmp_path, monkeypatch) as made:
        yield made
