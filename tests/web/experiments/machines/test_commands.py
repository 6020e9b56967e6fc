"""Commands to an experiment on several machines, and calls to the lab of a column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.test import Client

from dashboard.core.experiments.journal import Attempt, Facts
from dashboard.core.experiments.launching.ports import HostPort, PortHolder
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ArmStatus, ExperimentRef, Phase
from dashboard.core.modes import ArmSpec, Mode
from dashboard.engine.protocol import EngineUnreachable
from dashboard.lab.experiments import actions
from dashboard.lab.remote import experiment_calls
from dashboard.models import Experiment
from dashboard.store import experiments as experiment_store
from dashboard.web.experiments import machines
from dashboard.web.service import LabUnavailableError, service
from tests.core.builders import end
from tests.core.machine_scenes import LAB2, make_head, scene_of
from tests.support.specs import make_spec
from tests.web.experiments.machines.experiment import add_later, launch_form, observe, part_of
from tests.web.training.machine_fakes import join_machines

pytestmark = pytest.mark.django_db(transaction=True)


def test_commands_reach_the_machines(owner: Client, whole: str) -> None:
    assert owner.post(f"/experiments/{part_of(whole, 'lab2')}/stop/").status_code == 302
    wanted = {name: experiment_store.load(part_of(whole, name)) for name in ("server", "lab2")}
    assert {name: record.wanted for name, record in wanted.items() if record} == {
        "server": Wanted.RUNNING,
        "lab2": Wanted.STOPPED,
    }
    assert owner.post(f"/experiments/{whole}/stop/").status_code == 302
    assert owner.post(f"/experiments/{whole}/remove/").status_code == 302
    assert owner.get(f"/experiments/{whole}/").status_code == 404
    assert not Experiment.objects.exclude(wanted=Wanted.REMOVED).exists()


def test_the_experiment_that_holds_a_port_on_a_machine_is_named(owner: Client, whole: str) -> None:
    other = experiment_store.create_experiment(make_spec("bridge", title="Shop", publish=["8080:80"]), machine="lab2")
    experiment_store.remember_container(other, "bridge", "e" * 64)
    observe(whole, "server", "lab2")
    error = "driver failed: Bind for 0.0.0.0:8080 failed: port is already allocated"
    columns = end(scene_of("lab2", ("host", "bridge"), LAB2)[0], "bridge-lab2", ArmStatus.REFUSED, error=error)
    add_later(whole, "lab2", Facts(columns=columns))
    snapshot = owner.get(f"/api/experiments/{whole}").json()
    assert [holder and holder["id"] for holder in snapshot["answer"]["holders"]] == [None, other]
    assert "“Shop”" in snapshot["answer"]["trouble"][1]


def answering(monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], Any]) -> list[tuple[Any, ...]]:
    """Makes the labs answer each call with ``answer`` of the experiment's id; returns the calls."""
    asked: list[tuple[Any, ...]] = []

    async def ask_about(experiment: str, function: Any, *args: Any) -> Any:
        asked.append((experiment, function.__name__, *args))
        return answer(experiment)

    monkeypatch.setattr(service, "ask_about", ask_about)
    return asked


@pytest.mark.parametrize("error", [LabUnavailableError("It does not respond."), EngineUnreachable("No answer.")])
async def test_every_machine_requests_its_own_paths(
    shown: str, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    lab2 = await database_sync_to_async(part_of)(shown, "lab2")
    attempt = Attempt(
        "loopback", "Loopback", "machine", "host", "http://127.0.0.1/", "curl", 200, key="host/loopback/x"
    )
    absent: set[str] = set()

    def answer(experiment: str) -> tuple[Attempt, ...]:
        if experiment in absent:
            raise error
        return (attempt,)

    answering(monkeypatch, answer)
    assert [one.origin for one in await machines.try_paths(shown)] == ["machine", "machine@2"]
    absent.add(lab2)
    assert [one.origin for one in await machines.try_paths(shown)] == ["machine"]
    absent.add(await database_sync_to_async(part_of)(shown, "server"))
    with pytest.raises(type(error)):
        await machines.try_paths(shown)


async def test_a_command_in_a_column_runs_on_its_machine(shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lab2 = await database_sync_to_async(part_of)(shown, "lab2")
    asked = answering(monkeypatch, lambda _experiment: None)
    await machines.inspect(shown, "machine@2", "ip", "")
    await machines.inspect(shown, "bridge-lab2", "ip", "")
    assert asked == [(lab2, "inspect", lab2, "machine", "ip", ""), (lab2, "inspect", lab2, "bridge-lab2", "ip", "")]
    assert actions.inspect.__name__ == "inspect"


def test_the_ports_of_each_machine_are_asked_there() -> None:
    arms = (ArmSpec("a", Mode.HOST), ArmSpec("b", Mode.HOST, machine="lab3"), ArmSpec("c", Mode.HOST, machine="server"))
    assert {place: [arm.key for arm in own] for place, own in machines.arms_by_place(arms, "@lab2").items()} == {
        "@lab2": ["a"],
        "@lab3": ["b"],
        "": ["c"],
    }
    assert list(machines.arms_by_place(arms[:1], "h1")) == ["h1"]


def test_a_port_that_is_held_on_another_machine_is_named_and_its_holder_can_be_stopped(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    join_machines(monkeypatch, "lab2")
    holder = experiment_store.create_experiment(make_spec("host"), machine="lab2")
    asked: list[tuple[str, list[str]]] = []

    async def ask_of(place: str, function: Any, *args: Any) -> Any:
        if function is not experiment_calls.port_holders:
            raise LabUnavailableError("It answers nothing else.")
        asked.append((place, [arm.key for arm in args[0]]))
        record = await database_sync_to_async(experiment_store.load)(holder)
        if place != "@lab2" or record is None or record.wanted is not Wanted.RUNNING:
            return ()
        return (PortHolder(HostPort(80), "Port 80 is held by “Other”.", ExperimentRef(holder, "Other")),)

    monkeypatch.setattr(service, "ask_of", ask_of)
    form = launch_form(mode=["host"], machines=["server", "lab2"])
    refused = owner.post("/experiments/", form)
    assert refused.status_code == 409
    assert "held by “Other”" in refused.content.decode()
    assert sorted(asked) == [("", ["host"]), ("@lab2", ["host-lab2"])]
    assert not Experiment.objects.exclude(parts="").exists()
    stopped = owner.post("/experiments/", form | {"stop": holder})
    assert stopped.status_code == 200
    assert "the ports are free" in stopped.content.decode()


def test_a_part_is_removed_with_its_experiment_only(owner: Client, whole: str) -> None:
    part = part_of(whole, "lab2")
    answer = owner.post(f"/api/experiments/{part}/remove", content_type="application/json")
    assert answer.status_code == 409
    assert whole in answer.json()["detail"]
    page = owner.post(f"/experiments/{part}/remove/")
    assert page.status_code == 409
    assert f'href="/experiments/{whole}/"' in page.content.decode()
    assert Experiment.objects.get(pk=part).wanted == Wanted.RUNNING


def test_an_experiment_with_an_absent_machine_can_be_launched_again_and_removed_after_a_stop(
    owner: Client, whole: str
) -> None:
    observe(whole, "server", "lab2")
    for name in ("server", "lab2"):
        experiment_store.save_head(part_of(whole, name), make_head(phase=Phase.RUNNING))

    def shown(action: str) -> bool:
        page = owner.get(f"/experiments/{whole}/").content.decode()
        form = page[page.index(f'action="/experiments/{whole}/{action}/"') :]
        return " hidden" not in form[: form.index(">")]

    assert not shown("remove")
    assert not shown("again")
    owner.post(f"/experiments/{whole}/stop/")
    experiment_store.save_head(part_of(whole, "server"), make_head(phase=Phase.STOPPED))
    assert owner.get(f"/api/experiments/{whole}").json()["experiment"]["phase"] == "stopping"
    assert shown("remove")
    assert shown("again")
