"""An experiment of a command: what the command waits for, and when it gives up."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from dashboard.core.experiments.messages import ArmStatus
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.protocol import EngineInfo, EngineUnreachable
from dashboard.lab import bootstrap, one_shot
from dashboard.lab.engine.keeper import EngineKeeper
from dashboard.lab.one_shot import compare_once
from dashboard.lab.reconciler import Lab
from dashboard.store import experiments as experiment_store
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.polling import others_run
from tests.support.specs import make_spec


def silent(_text: str) -> None:
    """Prints nothing."""


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """The fake engine that ``open_context`` finds."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    made = FakeEngine()
    monkeypatch.setattr(bootstrap, "DockerEngine", lambda _endpoint, **_: made)
    monkeypatch.setattr(one_shot, "SETTLE_S", 0.05)
    return made


@pytest.mark.usefixtures("transactional_db")
async def test_everything_is_removed_at_the_end(engine: FakeEngine, tmp_path: Path) -> None:
    found = await compare_once(tmp_path, make_spec("host", "host"), silent)
    assert [one.status for one in found.columns] == [ArmStatus.RUNNING] * 3
    assert set(found.states) == {"machine", "host", "host-2"}
    assert engine.made == {}
    assert "close" in engine.calls


@pytest.mark.usefixtures("transactional_db")
async def test_a_kept_experiment_has_no_driver(engine: FakeEngine, tmp_path: Path, fake_lab: LabHarness) -> None:
    await fake_lab.lab.close()
    await compare_once(tmp_path, make_spec("host"), silent, keep=True)
    assert len(engine.made) == 1
    (record,) = await fake_lab.database.run(experiment_store.load_unsettled)
    assert record.driver == ""


@pytest.mark.usefixtures("transactional_db")
async def test_on_a_host_that_ends_with_the_command_nothing_is_kept(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def passing(*_: object, **__: object) -> tuple[FakeEngine, EngineInfo, EngineKeeper]:
        return engine, await engine.info(), EngineKeeper(PrivateHost("x", 0, 0, "", 0.0, tmp_path, 0), time.time)

    monkeypatch.setattr(bootstrap, "open_engine", passing)
    said: list[str] = []
    await compare_once(tmp_path, make_spec("host"), said.append, keep=True)
    assert engine.made == {}
    assert said == [
        "Nothing can be kept: the private host ends with this command. Start an engine, or set DOCKER_HOST."
    ]


@pytest.mark.usefixtures("transactional_db")
async def test_a_cancellation_while_everything_is_removed_changes_nothing(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean_up = one_shot._clean_up

    async def cancelled_meanwhile(lab: Lab, identity: str) -> None:
        command.cancel()
        await others_run()
        await clean_up(lab, identity)

    monkeypatch.setattr(one_shot, "_clean_up", cancelled_meanwhile)
    command = asyncio.ensure_future(compare_once(tmp_path, make_spec("host"), silent))
    with pytest.raises(asyncio.CancelledError):
        await command
    assert engine.made == {}


@pytest.mark.usefixtures("transactional_db")
async def test_an_engine_that_disappears_is_an_error_at_once(engine: FakeEngine, tmp_path: Path) -> None:
    engine.refuse["start_container"] = EngineUnreachable("it hangs", 503)
    with pytest.raises(EngineUnreachable, match="it hangs"):
        await compare_once(tmp_path, make_spec("host"), silent, keep=True)
    assert engine.made == {}, "what went wrong is not kept"


@pytest.mark.usefixtures("transactional_db")
async def test_no_engine_is_an_error_with_a_sentence(engine: FakeEngine, tmp_path: Path) -> None:
    engine.away = "No Docker Engine answers at unix:///x."
    with pytest.raises(EngineUnreachable, match="No Docker Engine answers"):
        await compare_once(tmp_path, make_spec("host"), silent)
