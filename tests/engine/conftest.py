"""Fixtures of the engine's tests: containers that are removed, a check that they are, and what the engine does."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest

from tests.support.private_engine import PrivateEngine, nothing_stays

__all__ = ["nothing_stays"]

Run = Callable[..., str]


def security_options(host: PrivateEngine) -> str:
    """The engine's security options, as JSON."""
    return host.docker("info", "--format", "{{json .SecurityOptions}}")


def has_remapped_users(host: PrivateEngine) -> bool:
    """Whether the engine runs containers in a user namespace (userns-remap)."""
    return "name=userns" in security_options(host)


def skip_without_host_mode(host: PrivateEngine) -> None:
    """Skips the test if host mode is refused, or is not the machine's network."""
    security = security_options(host)
    if "name=userns" in security:
        pytest.skip("with userns-remap the engine refuses host mode")
    if "name=rootless" in security:
        pytest.skip("in host mode a container of a rootless engine shares RootlessKit's network, not the machine's")


@pytest.fixture
def run(engine_host: PrivateEngine) -> Iterator[Run]:
    """``docker run -d ARGUMENTS`` → container id; removed at the end of the test."""
    made: list[str] = []

    def start(*arguments: str) -> str:
        if "host" in arguments:
            skip_without_host_mode(engine_host)
        identity = engine_host.docker("run", "-d", *arguments)
        made.append(identity)
        return identity

    yield start
    if made:
        engine_host.docker("rm", "-f", "-v", *made)


@pytest.fixture
def interrupts_ignored() -> Iterator[None]:
    """Ignores SIGINT and SIGQUIT, as in a background job of a script. Child processes inherit that."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
