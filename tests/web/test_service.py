"""Which lab handles a call: the server's own, or the lab of a training session's host."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.lab.reconciler import Lab, WorkLocks
from dashboard.lab.remote.nats_connection import WEB_JOURNALS
from dashboard.lab.training import group_labs as labs_module
from dashboard.lab.training.group_labs import GroupLabs
from dashboard.store import experiments as experiment_store
from dashboard.web.service import LabUnavailableError, Service, service
from tests.lab.training.test_group_labs import host
from tests.support.fakes import FakeEngine
from tests.support.specs import make_spec
from tests.web.own_host import lab_here


async def own(lab: Lab) -> str:
    """The host of the lab that handled the call."""
    return lab.context.host


async def test_calls_about_an_experiment_go_to_the_lab_that_runs_it(
    tmp_path: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labs_module, "DockerEngine", lambda _endpoint, **_: FakeEngine())
    async with lab_here(FakeEngine(), tmp_path, monkeypatch) as bench:
        labs = GroupLabs(bench.context, WorkLocks())
        monkeypatch.setattr(service, "_labs", labs)
        labs.add(host("abc"))
        here = await bench.database.run(experiment_store.create_experiment, make_spec("none"))
        there = await bench.database.run(experiment_store.create_experiment, make_spec("none"), None, "", "abc")
        lost = await bench.database.run(experiment_store.create_experiment, make_spec("none"), None, "", "gone")
        assert await service.ask(own) == ""
        assert await service.ask_about(here, own) == ""
        assert await service.ask_about(there, own) == "abc"
        assert await service.ask_about("no such", own) == ""
        with pytest.raises(LabUnavailableError, match="Start it first"):
            await service.ask_about(lost, own)
        with pytest.raises(LabUnavailableError):
            _ = service.group_hosts
        await labs.close()


def test_the_trouble_that_a_lab_reports_names_the_machine_of_its_subject() -> None:
    web, received = Service(), list[tuple[str, ...]]()
    web.on_wakeup = received.append
    for wakeup in (("trouble", "e1", "disk full", "server"), ("experiment", "e1"), ("class", "s1"), ("trouble", "e1")):
        web._on_journal(f"{WEB_JOURNALS}.lab2", wakeup)
    assert received == [("trouble", "e1", "disk full", "lab2"), ("experiment", "e1"), ("trouble", "e1", "lab2")]
