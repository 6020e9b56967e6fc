"""An experiment on a real engine whose answers lack fields, have unknown ones, refuse, or come late.

Whatever the engine answers, the page shows a sentence and calls a cleanup verified only if nothing is left; once the
engine answers as usual, nothing of the experiment remains on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ExperimentHead, Phase
from dashboard.engine.docker_engine import DockerEngine
from dashboard.lab import reconciler
from tests.support import engine_api
from tests.support.engines.odd_engine import Change, OddEngine, as_it_is, odd_engine
from tests.support.lab_harness import LabHarness, open_lab_harness
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine

pytestmark = [pytest.mark.engine, pytest.mark.slow]
TIMEOUT_S = 1.0
#: How often the lab tries to clean up while the engine is odd.
PASSES = 4


def with_unknown_fields(value: Any) -> Any:
    """The value with an unknown field in every object; maps from names to values are unchanged."""
    if isinstance(value, list):
        return [with_unknown_fields(one) for one in value]
    if not isinstance(value, dict):
        return value
    changed = {key: with_unknown_fields(one) for key, one in value.items()}
    return changed | ({"Invented": {"By": ["a later engine"]}} if value and all(k[:1].isupper() for k in value) else {})


def unknown_fields(_method: str, status: int, value: Any) -> tuple[int, Any]:
    return status, with_unknown_fields(value)


def without(*names: str) -> Change:
    """A change that removes these fields from answers, and from the members of lists."""

    def change(method: str, status: int, value: Any) -> tuple[int, Any]:
        if status >= 400:
            return status, value
        if isinstance(value, list):
            return status, [change(method, status, one)[1] for one in value]
        return status, {k: one for k, one in value.items() if k not in names} if isinstance(value, dict) else value

    return change


def lists_are_objects(_method: str, status: int, value: Any) -> tuple[int, Any]:
    return status, {"Items": value} if isinstance(value, list) else value


def objects_are_null(method: str, status: int, value: Any) -> tuple[int, Any]:
    return status, None if method == "GET" and status < 400 and isinstance(value, dict) else value


def done_but_500(method: str, status: int, value: Any) -> tuple[int, Any]:
    return (status, value) if method == "GET" else (500, {"message": "driver failed"})


def reads_are_500(method: str, status: int, value: Any) -> tuple[int, Any]:
    return (500, {"message": "database is locked"}) if method == "GET" else (status, value)


ODD: dict[str, Change] = {
    "unknown fields": unknown_fields,
    "no ids": without("Id", "ID"),
    "no state": without("State"),
    "no configuration": without("Config", "HostConfig"),
    "no name and labels": without("Name", "Names", "Labels"),
    "no networks": without("NetworkSettings", "IPAM", "Driver"),
    "lists are objects": lists_are_objects,
    "objects are null": objects_are_null,
    "reads are refused": reads_are_500,
    "done, but refused": done_but_500,
    "done, but too late": as_it_is,
}


@pytest.fixture
def odd(engine_host: PrivateEngine, tmp_path: Path) -> Iterator[OddEngine]:
    with odd_engine(tmp_path, engine_host.socket) as engine:
        yield engine


@pytest.fixture
async def lab(
    odd: OddEngine, tmp_path: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[LabHarness]:
    monkeypatch.setattr(reconciler, "RETRY_S", 0.1)
    async with open_lab_harness(DockerEngine(odd.endpoint, timeout_s=TIMEOUT_S), tmp_path) as made:
        yield made
        odd.change, odd.delay_s = as_it_is, 0.0


async def settled(lab: LabHarness, identity: str, *phases: Phase) -> ExperimentHead:
    """Waits until the experiment is in one of these phases or shows a problem; checks every sentence that it shows."""

    async def head() -> ExperimentHead | None:
        found = (await lab.view(identity)).head
        return found if found is not None and (found.phase in phases or found.problem) else None

    found: ExperimentHead = await eventually(head, 20.0)
    view = await lab.view(identity)
    for text in (found.problem, *(column.error or "" for column in view.columns)):
        assert "\n" not in text
        assert "Traceback" not in text
    return found


def objects_on(engine: PrivateEngine) -> list[str]:
    return engine_api.containers(engine.endpoint) + engine_api.networks(engine.endpoint)


@pytest.mark.parametrize("oddity", ODD)
async def test_an_odd_engine_has_a_sentence_and_keeps_nothing(
    lab: LabHarness, odd: OddEngine, engine_host: PrivateEngine, caplog: pytest.LogCaptureFixture, oddity: str
) -> None:
    odd.change, odd.delay_s = ODD[oddity], TIMEOUT_S * 1.5 if oddity == "done, but too late" else 0.0
    identity = await lab.launch("host", "bridge", "user-bridge", publish=["8080:80"])
    await settled(lab, identity, Phase.RUNNING, Phase.FAILED)

    async def is_verified() -> bool:
        """Whether the page shows a verified cleanup; AssertionError if something is left then."""
        head = (await lab.view(identity)).head
        if head is None or head.phase is not Phase.STOPPED or not all(check.ok for check in head.proof):
            return False
        assert objects_on(engine_host) == []
        return True

    await lab.want(identity, Wanted.STOPPED)
    await settled(lab, identity, Phase.STOPPED, Phase.FAILED)
    for _ in range(PASSES):
        answered = odd.answered
        await lab.want(identity, Wanted.STOPPED)

        async def is_tried(before: int = answered) -> bool:
            return await is_verified() or odd.answered > before

        await eventually(is_tried)
    odd.change, odd.delay_s = as_it_is, 0.0

    async def is_removed() -> bool:
        await lab.want(identity, Wanted.STOPPED)
        await is_verified()
        return not objects_on(engine_host)

    await eventually(is_removed)
    assert not [record.getMessage() for record in caplog.records if record.exc_info]
