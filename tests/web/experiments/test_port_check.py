"""dashboard.web.experiments.port_check: what it does when the lab cannot answer."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from channels.db import database_sync_to_async
from django.test import RequestFactory

from dashboard.core.experiments.launching.ports import HostPort, PortHolder
from dashboard.core.experiments.messages import ExperimentRef
from dashboard.core.modes import ArmSpec, Mode
from dashboard.store import experiments as experiment_store
from dashboard.web.experiments.port_check import STOP, find_holders, show_held_ports, stop_holder
from dashboard.web.http.url_scope import SERVER_SCOPE
from dashboard.web.service import LabUnavailableError, service
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db(transaction=True)
ARMS = (ArmSpec("host", Mode.HOST),)


async def test_an_engine_that_does_not_answer_prevents_no_launch(lab_harness: LabHarness, engine: FakeEngine) -> None:
    engine.away = "No Docker Engine answers."
    assert await find_holders(RequestFactory().post("/"), ARMS) == ()
    engine.away = ""


async def test_without_a_lab_nothing_is_checked() -> None:
    assert await find_holders(RequestFactory().post("/"), ARMS) == ()


async def test_an_experiment_that_does_not_exist_has_no_held_ports() -> None:
    assert await show_held_ports(RequestFactory().post("/"), "nothing", SERVER_SCOPE) is None


@pytest.mark.parametrize(("given", "asked"), [("", "h1"), ("h2", "h2")])
async def test_the_ports_of_a_group_s_run_are_those_of_its_host(
    given: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = await database_sync_to_async(experiment_store.create_experiment)(make_spec("host"), host="h1")
    hosts: list[str] = []

    async def ask_of(host: str, *_args: object) -> tuple[()]:
        hosts.append(host)
        return ()

    monkeypatch.setattr(service, "ask_of", ask_of)
    assert await show_held_ports(RequestFactory().post("/"), identity, SERVER_SCOPE, given) is None
    assert hosts == [asked]


def answering(monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, tuple[PortHolder, ...] | None]) -> None:
    """Makes the labs of these hosts answer; a lab with None does not respond."""

    async def ask_of(host: str, *_args: object) -> tuple[PortHolder, ...]:
        answer = answers[host]
        if answer is None:
            raise LabUnavailableError("It does not respond.")
        return answer

    monkeypatch.setattr(service, "ask_of", ask_of)


HOLDER = PortHolder(HostPort(80), "nginx (pid 7) listens on port 80 of this machine.")
EVERYWHERE = (*ARMS, ArmSpec("host-lab2", Mode.HOST, machine="lab2"))


async def test_a_holder_on_one_of_several_machines_names_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, {"": (HOLDER,), "@lab2": (HOLDER,)})
    found = await find_holders(RequestFactory().post("/"), EVERYWHERE)
    assert [one.sentence for one in found] == [f"server: {HOLDER.sentence}", f"lab2: {HOLDER.sentence}"]
    assert await find_holders(RequestFactory().post("/"), ARMS) == (HOLDER,)


@pytest.mark.parametrize("silent", ["", "@lab2"])
async def test_a_silent_machine_does_not_count_as_free(monkeypatch: pytest.MonkeyPatch, silent: str) -> None:
    request = RequestFactory().post("/", {STOP: "nothing"})
    answering(monkeypatch, {"": (), "@lab2": (), silent: None})
    assert await stop_holder(request, EVERYWHERE) is None
    answering(monkeypatch, {"": (HOLDER,), "@lab2": (HOLDER,), silent: None})
    assert len(await stop_holder(request, EVERYWHERE) or ()) == 1
    answering(monkeypatch, {"": (), "@lab2": ()})
    assert await stop_holder(request, EVERYWHERE) == ()


async def test_a_port_of_the_stopped_experiment_is_waited_for_while_its_process_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While a process ends, its socket still listens, but has no owner."""
    own = PortHolder(HostPort(80), "nginx (pid 7) of experiment “web” listens on port 80.", ExperimentRef("one", "web"))
    ending = PortHolder(HostPort(80), "An unidentified process listens on port 80 of this machine.")
    other = PortHolder(HostPort(81), "An unidentified process listens on port 81 of this machine.")
    answers = [(own, other), (ending, other), (own, other), (ending, other), (other,)]

    async def ask_of(_host: str, *_args: object) -> tuple[PortHolder, ...]:
        return answers.pop(0)

    monkeypatch.setattr(service, "ask_of", ask_of)
    assert await stop_holder(RequestFactory().post("/", {STOP: "one"}), ARMS) == (other,)
    assert answers == []
