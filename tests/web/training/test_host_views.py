"""The launch form of a group's private host: ports in use, and the experiment that holds them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from channels.db import database_sync_to_async

from dashboard.core.experiments.launching.ports import HostPort, PortHolder, needed_ports
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ExperimentRef
from dashboard.core.operations.storage import DiskUsage
from dashboard.core.training.host_plan import HostStage
from dashboard.core.training.session import HostsFor
from dashboard.lab.remote import experiment_calls
from dashboard.lab.remote.experiment_calls import LaunchOptions
from dashboard.lab.training.hosts import HostState
from dashboard.models import Experiment, TrainingSession
from dashboard.store import experiments as experiment_store
from dashboard.store.operations import storage
from dashboard.store.training import group_runs
from dashboard.store.training import hosts as group_host_store
from dashboard.web.service import LabUnavailableError, service
from tests.support.specs import make_spec
from tests.web.asgi_client import ORIGIN, Answer, Person, http
from tests.web.training.session_clients import FORM, join, new

pytestmark = pytest.mark.django_db(transaction=True)
LAUNCH = "image=nginx&port=80&publish=8080:80&mode=bridge&names=db.internal"


@database_sync_to_async
def give_host(row: TrainingSession) -> str:
    """Makes the host of the first group ready, and launches an experiment there; returns its id."""
    group = f"{row.pk}-1"
    group_host_store.request(group, row.created_at)
    group_host_store.note(group, state="ready", host="h1")
    return group_runs.launch(make_spec("bridge"), row.owner_id, group)


@database_sync_to_async
def wanted(identity: str) -> str:
    return str(Experiment.objects.get(pk=identity).wanted)


class Host:
    """The host of Ada's group. The Engine publishes port 8080 for ``holder`` until it is stopped."""

    def __init__(self, row: TrainingSession, ada: Person, holder: str) -> None:
        self.row, self.ada, self.holder = row, ada, holder
        self.asked: list[str] = []

    async def ask_of(self, host: str, function: Any, *_args: Any) -> Any:
        if function is experiment_calls.launch_options:
            return LaunchOptions((), ("nginx",), 8081)
        if function is not experiment_calls.port_holders:
            raise LabUnavailableError("No lab.")
        self.asked.append(host)
        if await wanted(self.holder) == Wanted.STOPPED:
            return ()
        return (PortHolder(HostPort(8080), "Port 8080 is in use.", ExperimentRef(self.holder, "Other & co")),)

    async def launch(self, more: str = "") -> Answer:
        path = f"/sessions/{self.row.pk}/lab/experiments/"
        headers = (FORM, ("origin", ORIGIN))
        return await http("POST", path, who=self.ada, headers=headers, body=(LAUNCH + more).encode(), token=True)


@pytest.fixture
async def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    row = await new(hosts=HostsFor.TEAM, team_size=2)
    ada = (await join(row.code, "ada"))[1]
    made = Host(row, ada, await give_host(row))
    monkeypatch.setattr(service, "ask_of", made.ask_of)
    return made


async def test_a_new_launch_onto_a_held_port_comes_back_with_what_was_typed(host: Host) -> None:
    answer = await host.launch()
    assert answer.status == 409
    assert host.asked == ["h1"]
    assert "Port 8080 is in use." in answer.text
    assert f'href="/sessions/{host.row.pk}/lab/experiments/{host.holder}/"' in answer.text
    assert 'value="db.internal"' in answer.text
    anyway = await host.launch("&anyway=1")
    assert anyway.status == 302


async def test_a_launch_without_a_named_port_takes_another_one_if_that_of_the_form_is_held(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_of = host.ask_of

    async def ask(lab_host: str, function: Any, *arguments: Any) -> Any:
        if function is experiment_calls.port_holders and needed_ports(arguments[0]) == (HostPort(8081),):
            return ()
        return await ask_of(lab_host, function, *arguments)

    monkeypatch.setattr(service, "ask_of", ask)
    assert (await host.launch("&publish=&free_port=8080")).status == 302


async def test_stopping_the_holder_keeps_what_was_typed(host: Host) -> None:
    answer = await host.launch(f"&stop={host.holder}")
    assert answer.status == 200
    assert "the ports are free" in answer.text
    assert 'value="db.internal"' in answer.text
    assert await wanted(host.holder) == Wanted.STOPPED
    assert (await host.launch()).status == 302


async def test_a_group_stops_only_its_own_experiments(host: Host) -> None:
    other = await database_sync_to_async(experiment_store.create_experiment)(make_spec("host"), host="h1")
    for identity in (other, "nothing"):
        assert (await host.launch(f"&stop={identity}")).status == 404
    assert await wanted(other) == Wanted.RUNNING


async def test_on_a_full_disk_a_launch_comes_back_with_what_was_typed(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "disk_usage", lambda: DiskUsage(95_000_000, 5_000_000))
    answer = await host.launch("&anyway=1")
    assert answer.status == 507
    assert "95% of the disk" in answer.text
    assert 'value="db.internal"' in answer.text


async def test_without_an_answer_of_the_lab_ports_are_not_called_free(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_of = host.ask_of

    async def silent(lab_host: str, function: Any, *arguments: Any) -> Any:
        if function is experiment_calls.port_holders:
            raise LabUnavailableError("No lab.")
        return await ask_of(lab_host, function, *arguments)

    monkeypatch.setattr(service, "ask_of", silent)
    answer = await host.launch(f"&stop={host.holder}")
    assert answer.status == 200
    assert "the ports are free" not in answer.text
    assert 'value="db.internal"' in answer.text
    assert await wanted(host.holder) == Wanted.STOPPED


@pytest.mark.parametrize(
    ("state", "is_offered"),
    [
        (HostState(HostStage.FAILED, "No memory.", "h1"), True),
        (HostState(HostStage.FAILED, "No memory."), False),
        (HostState(HostStage.READY, "", "h1"), False),
    ],
)
async def test_the_page_offers_to_start_a_failed_host_that_has_kept_its_files(
    host: Host, monkeypatch: pytest.MonkeyPatch, state: HostState, *, is_offered: bool
) -> None:
    async def ask_group(*_args: object) -> HostState:
        return state

    monkeypatch.setattr(service, "ask_group", ask_group)
    page = await http("GET", f"/sessions/{host.row.pk}/", who=host.ada)
    form = re.search(r'<form[^>]*data-slot="host-start"[^>]*>', page.text)
    assert form is not None
    assert ("hidden" not in form[0]) == is_offered
