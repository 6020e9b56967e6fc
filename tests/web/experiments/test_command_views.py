"""Commands to experiments: where a form leads, and launches whose ports are in use."""

from __future__ import annotations

import html
from dataclasses import replace

import pytest
from channels.db import database_sync_to_async

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import Phase
from dashboard.core.training.capacity import MAX_EXPERIMENTS
from dashboard.core.training.session import HostsFor, group_key
from dashboard.models import Experiment, TrainingSession
from dashboard.store import experiments as experiment_store
from dashboard.store.training import group_runs
from dashboard.store.training import hosts as group_host_store
from dashboard.web.experiments import port_check
from dashboard.web.experiments.hub import hub
from tests.lab.training_builders import session
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually
from tests.support.records import load_record
from tests.support.specs import make_spec
from tests.web.asgi_client import Answer, Person, http, post_json
from tests.web.experiments.hub_browser import Browser
from tests.web.training.session_clients import FAR

pytestmark = pytest.mark.django_db(transaction=True)
FORM = (("content-type", "application/x-www-form-urlencoded"),)
LAUNCH = "image=nginx&port=80&publish=8080:80&mode=bridge"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A launch waits for the lab's answer about ports, however busy the machine is."""
    monkeypatch.setattr(port_check, "ANSWER_S", 60.0)


async def publishing(lab_harness: LabHarness, engine: FakeEngine, title: str = "Other & co") -> str:
    """A running experiment for which the engine publishes port 8080."""
    identity = await lab_harness.running("bridge", publish="8080:80", title=title)
    engine.made = {key: replace(facts, published=facts.asked) for key, facts in engine.made.items()}
    return identity


async def post(path: str, who: Person, body: str = "") -> Answer:
    return await http("POST", path, who=who, headers=FORM, body=body.encode(), token=True)


async def post_as(path: str, who: Person) -> Answer:
    """Posts an empty form, or an empty JSON object to the API."""
    return await post_json(path, who, {}) if path.startswith("/api/") else await post(path, who)


@database_sync_to_async
def rounds(identity: str) -> int:
    return int(Experiment.objects.get(pk=identity).round)


@pytest.mark.parametrize(
    ("back", "location"),
    [("abc", "/experiments/abc/#state"), ("/", "/"), ("//evil.example", None), ("../reports", None), ("", None)],
)
async def test_a_stop_leads_back_to_the_page_of_the_form(
    me: Person, lab_harness: LabHarness, back: str, location: str | None
) -> None:
    identity = await lab_harness.running("bridge")
    answer = await post(f"/experiments/{identity}/stop/", me, f"back={back}")
    assert answer.status == 302
    assert answer["location"] == (location or f"/experiments/{identity}/#state")
    await lab_harness.reaches(identity, Phase.STOPPED)


@pytest.mark.usefixtures("patient")
async def test_run_again_names_the_experiment_that_holds_the_port_instead_of_failing(
    me: Person, lab_harness: LabHarness, engine: FakeEngine
) -> None:
    past = await lab_harness.running("bridge", publish="8080:80", title="Mine")
    await lab_harness.stop(past)
    other = await publishing(lab_harness, engine)
    answer = await post(f"/experiments/{past}/again/", me)
    assert answer.status == 409
    assert "The Engine publishes port 8080 of this machine for experiment “Other & co”." in html.unescape(answer.text)
    assert f'href="/experiments/{other}/"' in answer.text
    assert f'action="/experiments/{other}/stop/"' in answer.text
    assert f'name="back" value="{past}"' in answer.text
    assert await rounds(past) == 1
    assert (await post(f"/experiments/{past}/again/", me, "anyway=1")).status == 302
    assert await rounds(past) == 2


async def test_run_again_launches_once_the_holder_is_stopped(
    me: Person, lab_harness: LabHarness, engine: FakeEngine
) -> None:
    past = await lab_harness.running("bridge", publish="8080:80")
    await lab_harness.stop(past)
    other = await publishing(lab_harness, engine)
    assert (await post(f"/experiments/{other}/stop/", me, f"back={past}")).status == 302
    answer = await post(f"/experiments/{past}/again/", me)
    assert answer["location"] == f"/experiments/{past}/#state"
    assert await rounds(past) == 2


@pytest.mark.parametrize("path", ["/experiments/{}/again/", "/api/experiments/{}/again"])
async def test_open_pages_show_that_an_experiment_waits_to_be_launched_again(
    me: Person, lab_harness: LabHarness, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    identity = await lab_harness.running("bridge")
    await lab_harness.stop(identity)
    browser = Browser()
    client = await hub.join(identity, browser.send)
    await eventually(lambda: browser.texts and browser.model().experiment.phase is Phase.STOPPED)
    monkeypatch.setattr(lab_harness.lab, "wake", lambda: None)  # the lab does not begin
    assert (await post_as(path.format(identity), me)).status in {202, 302}
    await eventually(lambda: browser.model().experiment.phase is Phase.WAITING)
    hub.leave(identity, client)


async def test_a_restart_does_not_count_its_own_ports(me: Person, lab_harness: LabHarness, engine: FakeEngine) -> None:
    identity = await publishing(lab_harness, engine)
    assert (await post(f"/experiments/{identity}/restart/", me)).status == 302
    assert await rounds(identity) == 2


@database_sync_to_async
def stopped_in_a_group() -> tuple[str, str]:
    """Launches and stops an experiment on a group's host ``h1``, in a session of the signed-in user. Returns its id and
    the key of the group."""
    row = session("owner", hosts=HostsFor.PERSON)
    TrainingSession.objects.filter(pk=row.pk).update(expires_at=FAR)
    group = group_key(row.pk, 1)
    group_host_store.request(group, row.created_at)
    group_host_store.note(group, state="ready", host="h1")
    identity = group_runs.launch(make_spec("bridge"), row.owner_id, group)
    Experiment.objects.filter(pk=identity).update(wanted="stopped", phase="stopped")
    return identity, group


async def test_an_instructor_launches_the_experiment_of_a_group_again_on_its_current_host(me: Person) -> None:
    identity, group = await stopped_in_a_group()
    await database_sync_to_async(group_host_store.note)(group, host="h2")
    for path in (f"/experiments/{identity}/again/", f"/api/experiments/{identity}/again"):
        await database_sync_to_async(Experiment.objects.update)(wanted="stopped", phase="stopped", host="h1")
        assert (await post_as(path, me)).status in {202, 302}
        row = await database_sync_to_async(Experiment.objects.get)(pk=identity)
        assert (row.host, row.wanted, row.phase) == ("h2", "running", "waiting")


async def test_an_instructor_launches_the_experiment_of_a_group_again_only_within_its_quota_and_on_a_ready_host(
    me: Person,
) -> None:
    identity, group = await stopped_in_a_group()
    paths = (f"/experiments/{identity}/again/", f"/api/experiments/{identity}/again")
    for _number in range(MAX_EXPERIMENTS):
        await database_sync_to_async(group_runs.launch)(make_spec("bridge"), None, group)
    for path in paths:
        answer = await post_as(path, me)
        assert answer.status == 409
        assert f"at most {MAX_EXPERIMENTS} experiments" in answer.text
    await database_sync_to_async(group_host_store.note)(group, state="stopped", host="")
    for path in paths:
        answer = await post_as(path, me)
        assert answer.status == 409
        assert "is not running" in answer.text
    assert await rounds(identity) == 1


@pytest.mark.usefixtures("patient")
async def test_a_new_launch_onto_a_held_port_comes_back_with_what_was_typed(
    me: Person, lab_harness: LabHarness, engine: FakeEngine
) -> None:
    other = await publishing(lab_harness, engine)
    answer = await post("/experiments/", me, f"{LAUNCH}&names=db.internal")
    assert answer.status == 409
    assert f'name="stop" value="{other}"' in answer.text
    assert 'value="db.internal"' in answer.text
    assert 'name="anyway"' in answer.text
    anyway = await post("/experiments/", me, f"{LAUNCH}&anyway=1")
    assert anyway.status == 302
    assert anyway["location"] != f"/experiments/{other}/"


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("offered", [8079, 8080])
async def test_a_launch_without_a_named_port_takes_others_if_those_of_the_form_are_held(
    me: Person, lab_harness: LabHarness, engine: FakeEngine, offered: int
) -> None:
    """Another person has launched while the form was open, or the second arm would use the port of a program."""
    await publishing(lab_harness, engine)
    form = f"image=nginx&port=80&publish=&mode=bridge&mode=user-bridge&free_port={offered}"
    answer = await post("/experiments/", me, form)
    assert answer.status == 302
    arms = (await database_sync_to_async(load_record)(answer["location"].split("/")[2])).spec.arms
    first, second = (arm.publish[0].host_port for arm in arms)
    assert 8080 < first == second - 1


@pytest.mark.usefixtures("patient")
async def test_stopping_the_holder_of_a_port_keeps_what_was_typed(
    me: Person, lab_harness: LabHarness, engine: FakeEngine
) -> None:
    other = await publishing(lab_harness, engine)
    answer = await post("/experiments/", me, f"{LAUNCH}&names=db.internal&stop={other}")
    assert answer.status == 200
    assert 'value="db.internal"' in answer.text
    assert "the ports are free" in answer.text
    assert 'name="anyway"' not in answer.text
    await lab_harness.reaches(other, Phase.STOPPED)
    assert (await post("/experiments/", me, f"{LAUNCH}&names=db.internal")).status == 302


async def test_the_start_form_stops_only_experiments_of_its_own_engine(me: Person, lab_harness: LabHarness) -> None:
    elsewhere = await database_sync_to_async(experiment_store.create_experiment)(make_spec("host"), host="h1")
    for identity in (elsewhere, "nothing"):
        assert (await post("/experiments/", me, f"{LAUNCH}&stop={identity}")).status == 404
    record = await database_sync_to_async(load_record)(elsewhere)
    assert record.wanted is Wanted.RUNNING


@pytest.mark.parametrize(
    ("back", "location"), [("abc", "/experiments/abc/#state"), ("../reports", "/"), ("", "/"), ("/", "/")]
)
async def test_the_start_of_the_engine_leads_back_or_to_the_front_page(me: Person, back: str, location: str) -> None:
    answer = await post("/engine/start/", me, f"back={back}")
    assert (answer.status, answer["location"]) == (302, location)
