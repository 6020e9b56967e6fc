"""Experiments on several machines: pages, the live stream, calls to the lab of a column, and what pages know about
machines."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.test import Client

from dashboard.core.comparison.rows import compare
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.journal import Attempt, Cause, Entry, Facts, Source, replay
from dashboard.core.experiments.launching.ports import HostPort, PortHolder
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.machines.groups import MachineNote
from dashboard.core.experiments.messages import ArmStatus, ExperimentRef, Phase
from dashboard.core.modes import ArmSpec, Mode
from dashboard.core.operations.machines import MachineFacts
from dashboard.core.reports.validate import validate_file
from dashboard.lab.experiments import actions
from dashboard.lab.remote import experiment_calls
from dashboard.lab.remote.experiment_calls import LaunchOptions
from dashboard.models import Experiment, JournalEntry
from dashboard.store import experiments as experiment_store
from dashboard.store import machines as machine_store
from dashboard.store import parts
from dashboard.web import feed_hub
from dashboard.web.experiments import machines
from dashboard.web.experiments.hub import ExperimentHub
from dashboard.web.experiments.views import load_snapshot
from dashboard.web.feed_hub import GONE
from dashboard.web.service import LabUnavailableError, service
from tests.core.builders import end
from tests.core.machine_scenes import LAB2, SERVER, entries_of, make_head, scene_of, two_machines
from tests.support.polling import eventually
from tests.support.specs import make_spec
from tests.web.experiments.hub_browser import CAUSE, Browser
from tests.web.training.machine_fakes import Connection, join_machines

pytestmark = pytest.mark.django_db(transaction=True)
FACTS = {"server": SERVER, "lab2": LAB2}


def create() -> str:
    """An experiment on the server's machine and on lab2."""
    if machine_store.find("lab2") is None:
        machine_store.register("lab2", {}, MachineFacts())
    return parts.create(make_spec("host", "bridge", machines=["server", "lab2"]))


def part_of(identity: str, machine: str) -> str:
    record = experiment_store.load(identity)
    assert record is not None
    return parts.ids_of(record.parts)[machine]


def observe(identity: str, *names: str) -> None:
    """The labs of these machines write what they observe."""
    for name in names:
        experiment_store.append(part_of(identity, name), entries_of(name, ("host", "bridge"), FACTS[name]))


@pytest.fixture
def whole() -> str:
    return create()


@pytest.fixture
async def shown() -> str:
    identity: str = await database_sync_to_async(create)()
    return identity


def test_the_page_shows_both_machines_complete_at_first_paint(owner: Client, whole: str) -> None:
    observe(whole, "server", "lab2")
    page = owner.get(f"/experiments/{whole}/").content.decode()
    for text in (
        'data-machine="server"',
        'data-machine="lab2"',
        "Docker Engine 26.1.5 · kernel 6.1.0",
        'data-column="machine@2"',
        'data-row="engines/version/"',
        "Engine: Docker Engine 28.5.2 on server, Docker Engine 26.1.5 on lab2.",
        f"/experiments/{part_of(whole, 'lab2')}/",
    ):
        assert text in page, text
    part = owner.get(f"/experiments/{part_of(whole, 'lab2')}/").content.decode()
    assert f'href="/experiments/{whole}/"' in part
    assert "remove/" not in part


def test_a_page_of_one_machine_has_no_row_of_machines(owner: Client) -> None:
    identity = parts.create(make_spec("host", "bridge"))
    page = owner.get(f"/experiments/{identity}/").content.decode()
    assert "data-machine=" not in page
    assert "data-machines hidden" in page


def test_an_absent_machine_is_marked_and_its_columns_wait(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    there = join_machines(monkeypatch, "lab2")
    identity = create()
    observe(identity, "server")
    there.gone.add("lab2")
    page = owner.get(f"/experiments/{identity}/").content.decode()
    assert "The lab of this machine does not respond" in page
    snapshot = owner.get(f"/api/experiments/{identity}").json()
    status = {column["key"]: (column["status"], bool(column["absent"])) for column in snapshot["columns"]}
    assert status["bridge"] == ("running", False)
    assert status["bridge-lab2"] == ("waiting", True)
    assert snapshot["experiment"]["phase"] == "running"


def test_what_is_known_about_each_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machines.machine_notes() == {}
    there = join_machines(monkeypatch, "attic", "barn", "cellar", "dome", "east")
    machine_store.set_draining("barn", draining=True)
    machine_store.revoke("cellar")
    there.gone |= {"dome", ""}
    there.versions["east"] = "It is too old."
    silent = MachineNote("The lab of this machine does not respond: what it reported last is shown.")
    assert machines.machine_notes() == {
        "server": silent,
        "barn": MachineNote(note="This machine is drained: nothing new starts on it."),
        "cellar": MachineNote("This machine was revoked: it has no lab."),
        "dome": silent,
        "east": MachineNote(note="It is too old."),
    }
    monkeypatch.setattr(service.nats, "problem", "NATS does not answer.")
    notes = machines.machine_notes()
    assert (notes["dome"].absent, notes["east"].note) == ("", "It is too old.")
    assert "not known" in notes["dome"].note


def test_lists_show_the_experiment_once_with_its_machines(owner: Client, whole: str) -> None:
    for name in ("server", "lab2"):
        experiment_store.save_head(part_of(whole, name), make_head(phase=Phase.RUNNING))
    (listed,) = owner.get("/api/experiments").json()
    assert (listed["id"], listed["phase"]) == (whole, "running")
    page = owner.get("/").content.decode()
    assert page.count('class="title"') == 1
    assert "server, lab2" in page


def test_the_journal_and_the_comparison_of_the_api_have_both_machines(owner: Client, whole: str) -> None:
    observe(whole, "server", "lab2")
    journal = owner.get(f"/api/experiments/{whole}/journal").json()
    assert [entry["seq"] for entry in journal] == list(range(1, len(journal) + 1))
    assert owner.get(f"/api/experiments/{whole}/journal?after=3&limit=2").json() == journal[3:5]
    compared = owner.get(f"/api/experiments/{whole}/comparison").json()
    _columns, states = two_machines()
    assert compared["states"].keys() == states.keys()
    past = owner.get(f"/api/experiments/{whole}?at=2").json()
    assert past["experiment"]["as_it_was"] == journal[1]["at"]
    assert owner.get(f"/experiments/{whole}/track/").status_code == 200


def test_a_report_of_both_machines_can_be_saved_exported_and_imported(owner: Client, whole: str) -> None:
    observe(whole, "server", "lab2")
    saved = owner.post(f"/experiments/{whole}/save/", {"title": "Two engines"})
    assert saved.status_code == 302, saved.content.decode()[-2000:]
    page = owner.get(saved["location"]).content.decode()
    assert 'data-machine="lab2"' in page
    assert "Docker Engine 26.1.5 · kernel 6.1.0" in page
    identity = saved["location"].split("/")[2]
    for ending in ("json", "md", "csv", "html"):
        assert owner.get(f"/reports/{identity}/export.{ending}").status_code == 200, ending
    content, _body = validate_file(owner.get(f"/reports/{identity}/export.json").content)
    assert content.experiment is not None
    assert replay(content.experiment.journal).states.keys() == two_machines()[1].keys()
    assert owner.get(f"/reports/{identity}/track/").status_code == 200


def launch_form(**more: Any) -> dict[str, Any]:
    return {"image": "nginx", "port": "80", "mode": ["host", "bridge"], "publish": "none"} | more


def test_the_form_offers_the_machines_that_have_joined(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 'name="machines"' not in owner.get("/").content.decode()
    join_machines(monkeypatch, "lab2")
    page = owner.get("/").content.decode()
    assert page.count('name="machines"') == 2
    assert 'name="arms-0-machine"' in page
    arms = {"arms-TOTAL_FORMS": "1", "arms-INITIAL_FORMS": "0", "arms-0-mode": "none", "arms-0-machine": "lab2"}
    launched = owner.post("/experiments/", launch_form(**arms))
    assert launched.status_code == 302, launched.content.decode()[-2000:]
    identity = launched["location"].split("/")[2]
    record = experiment_store.load(identity)
    assert record is not None
    assert [(part.machine, len(part.arms)) for part in parts.parts_of(record)] == [("server", 2), ("lab2", 1)]
    launched = owner.post("/experiments/", launch_form(machines=["server", "lab2"]))
    assert launched.status_code == 302
    assert Experiment.objects.exclude(parent=None).count() == 4


def test_without_an_own_engine_the_start_page_leads_to_a_machine_that_responds(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def call(lab: Connection, *_arguments: object) -> LaunchOptions:
        assert lab.accepts_calls
        return LaunchOptions((), ("nginx",), 8080)

    monkeypatch.setattr(Connection, "call", call)
    labs = join_machines(monkeypatch, "lab2", "lab3")
    usual = owner.get("/").content.decode()
    assert 'href="/" aria-current="true">This server' in usual
    assert 'name="host"' not in usual
    labs.gone |= {"", "lab2"}
    page = unescape(owner.get("/").content.decode())
    assert "Nothing can be launched on this server's own engine.</b> No Docker Engine answers." in page
    assert "The Docker Engine does not answer." not in page
    assert "This server's engine" not in page
    assert page.count('<input type="hidden" name="host" value="@lab3">') == 2, "in the form and at the presets"
    assert 'href="/?host=@lab3" aria-current="true"' in page
    labs.gone.add("lab3")
    alone = owner.get("/").content.decode()
    assert "The Docker Engine does not answer." in alone
    assert 'name="host"' not in alone


def test_a_machine_that_cannot_be_chosen_is_an_error_at_its_field(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    join_machines(monkeypatch, "lab2")
    machine_store.set_draining("lab2", draining=True)
    refused = owner.post("/experiments/", launch_form(machines=["lab2"]))
    assert refused.status_code == 400
    assert "“lab2” is not available" in refused.content.decode()
    machine_store.set_draining("lab2", draining=False)
    refused = owner.post("/experiments/", launch_form(machines=["lab9"]))
    assert "server, lab2" in refused.content.decode()
    assert not Experiment.objects.exists()


def test_the_api_launches_on_several_machines(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    join_machines(monkeypatch, "lab2")

    def post(body: dict[str, Any]) -> Any:
        return owner.post("/api/experiments", json.dumps(body), content_type="application/json")

    made = post({"modes": ["host", "bridge"], "machines": ["server", "lab2"]})
    assert made.status_code == 201, made.content
    assert experiment_store.load(made.json()["id"]) is not None
    assert Experiment.objects.exclude(parent=None).count() == 2
    refused = post({"arms": [{"mode": "host"}, {"mode": "bridge", "machine": "lab9"}]})
    assert refused.status_code == 400
    assert refused.json()["problems"][0]["field"] == "machine"


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


async def test_a_browser_follows_both_machines(hub: ExperimentHub, shown: str) -> None:
    browser = Browser()
    await hub.join(shown, browser.send)
    await eventually(lambda: browser.messages)
    assert [column.status for column in browser.model().columns if column.machine == "lab2"][1:] == ["waiting"] * 2
    await database_sync_to_async(observe)(shown, "server")
    hub.wake(await database_sync_to_async(part_of)(shown, "server"))
    await eventually(lambda: browser.model().experiment.phase is Phase.RUNNING)
    await database_sync_to_async(observe)(shown, "lab2")
    hub.wake(await database_sync_to_async(part_of)(shown, "lab2"))
    columns, _states = two_machines()
    await eventually(lambda: browser.model().columns == columns)
    late = Browser()
    await hub.join(shown, late.send)
    await eventually(lambda: late.messages)
    assert late.model().rows == browser.model().rows
    assert late.model().seq == browser.model().seq
    seqs = [item.seq for item in browser.model().timeline]
    assert seqs == sorted(set(seqs))


async def test_a_lost_wake_up_a_lost_machine_and_the_end_are_noticed(hub: ExperimentHub, shown: str) -> None:
    browser = Browser()
    await hub.join(shown, browser.send)
    await eventually(lambda: browser.messages)
    lab2 = await database_sync_to_async(part_of)(shown, "lab2")
    assert hub.followed()[lab2] == 0
    assert hub.divided == (shown,)
    await database_sync_to_async(observe)(shown, "lab2")
    hub.wake_missed(lab2)
    await eventually(lambda: "machine@2" in {key for row in browser.model().rows for key in row.cells})
    hub.note_machines({"lab2": MachineNote("It does not respond.")}, {})
    await eventually(lambda: {column.absent for column in browser.model().columns} == {"", "It does not respond."})
    hub.note_machines({}, {})
    await eventually(lambda: {column.absent for column in browser.model().columns} == {""})
    hub.trouble(lab2, "disk full", "lab3")
    hub.trouble(lab2, "disk full", "lab2")
    await eventually(lambda: browser.model().experiment.problem == "lab2: disk full")
    await database_sync_to_async(parts.set_wanted)(shown, Wanted.REMOVED)
    hub.wake(shown)
    await eventually(lambda: browser.code == GONE)


def record_end(identity: str, machine: str) -> None:
    """The lab of a machine stops its part, and records that."""
    part = part_of(identity, machine)
    Experiment.objects.filter(pk=part).update(phase=Phase.STOPPED)
    add_later(identity, machine, Facts(head=make_head(part, Phase.STOPPED, stopped_at=1200.0)))


async def test_the_state_is_live_after_a_stop_that_an_absent_lab_does_not_answer(
    hub: ExperimentHub, shown: str
) -> None:
    def stop() -> None:
        parts.set_wanted(shown, Wanted.STOPPED)

    for machine in ("server", "lab2"):
        await database_sync_to_async(observe)(shown, machine)
        part = await database_sync_to_async(part_of)(shown, machine)
        await Experiment.objects.filter(pk=part).aupdate(phase=Phase.RUNNING)
    browser = Browser()
    client = await hub.join(shown, browser.send)
    await eventually(lambda: browser.messages and browser.model().experiment.phase is Phase.RUNNING)
    await database_sync_to_async(stop)()
    requested = await database_sync_to_async(parts.requested_phases)(hub.divided)
    hub.note_machines({}, requested)
    await eventually(lambda: browser.model().experiment.phase is Phase.STOPPING)
    await database_sync_to_async(record_end)(shown, "server")
    hub.wake(await database_sync_to_async(part_of)(shown, "server"))
    await eventually(lambda: browser.model().timeline[-1].text == "server: later")
    assert browser.model().experiment.phase is Phase.STOPPING, "lab2 has not stopped its part"
    late = Browser()
    hub.leave(shown, client)
    await hub.join(shown, late.send)
    await eventually(lambda: late.messages)
    assert late.model().experiment.phase is Phase.STOPPING
    page = await database_sync_to_async(load_snapshot)(shown)
    assert late.model().experiment == page.experiment
    await database_sync_to_async(parts.set_wanted)(shown, Wanted.RUNNING, again=True)
    hub.note_machines({}, await database_sync_to_async(parts.requested_phases)(hub.divided))
    await eventually(lambda: late.model().experiment.phase is Phase.RUNNING)


def add_later(identity: str, machine: str, *facts: Facts) -> None:
    """The lab of a machine writes entries after those of ``observe``."""
    part = part_of(identity, machine)
    last = experiment_store.newest([part])[part][0]
    later = [Entry(last + number, 1200.0, CAUSE, one, "later") for number, one in enumerate(facts, start=1)]
    experiment_store.append(part, later)


async def test_the_page_of_a_part_is_live_beside_that_of_the_whole(hub: ExperimentHub, shown: str) -> None:
    lab2 = await database_sync_to_async(part_of)(shown, "lab2")
    await database_sync_to_async(observe)(shown, "lab2")
    of_whole, of_part = Browser(), Browser()
    await hub.join(shown, of_whole.send)
    await hub.join(lab2, of_part.send)
    await eventually(lambda: of_whole.messages and of_part.messages)
    last = of_part.model().seq
    assert hub.followed()[lab2] == last
    await database_sync_to_async(add_later)(shown, "lab2", Facts(removed=("bridge-lab2",)))
    hub.wake(lab2)
    await eventually(lambda: [column.key for column in of_part.model().columns] == ["machine", "host-lab2"])
    await eventually(lambda: "bridge-lab2" not in {column.key for column in of_whole.model().columns})
    assert hub.followed()[lab2] == last + 1
    await database_sync_to_async(add_later)(shown, "lab2", Facts())
    hub.wake_missed(lab2)
    await eventually(lambda: of_part.model().seq == last + 2)
    await eventually(lambda: hub.followed()[lab2] == last + 2)
    assert hub.missed == 1


async def test_the_number_that_is_checked_is_the_older_one_of_two_feeds(hub: ExperimentHub, shown: str) -> None:
    """Otherwise the check finds nothing missing while one of them has not shown an entry."""
    lab2 = await database_sync_to_async(part_of)(shown, "lab2")
    await database_sync_to_async(observe)(shown, "lab2")
    of_part, of_whole = Browser(), Browser()
    await hub.join(lab2, of_part.send)
    await eventually(lambda: of_part.messages)
    last = of_part.model().seq
    await database_sync_to_async(add_later)(shown, "lab2", Facts())
    await hub.join(shown, of_whole.send)
    await eventually(lambda: of_whole.messages)
    assert hub.followed()[lab2] == last


async def test_after_an_error_the_entries_are_shown(
    hub: ExperimentHub, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_hub, "RETRY_S", 0.02)
    browser = Browser()
    await hub.join(shown, browser.send)
    await eventually(lambda: browser.messages)
    failures = iter([True, True])

    def failing(*args: Any) -> Any:
        if next(failures, False):
            raise ValueError("a state that cannot be drawn")
        return draw(*args)

    monkeypatch.setattr("dashboard.web.experiments.hub.draw", failing)
    await database_sync_to_async(observe)(shown, "server", "lab2")
    hub.wake(await database_sync_to_async(part_of)(shown, "server"))
    columns, states = two_machines()
    await eventually(lambda: browser.model().columns == columns)
    assert not next(failures, False)
    assert browser.model().rows == compare(columns, states)


async def test_the_problem_of_a_journal_ends_with_the_next_entry_of_that_machine(
    hub: ExperimentHub, shown: str
) -> None:
    ids = {name: await database_sync_to_async(part_of)(shown, name) for name in ("server", "lab2")}
    await database_sync_to_async(observe)(shown, "server", "lab2")
    browser = Browser()
    await hub.join(shown, browser.send)
    await eventually(lambda: browser.messages)
    hub.trouble(ids["lab2"], "disk full", "lab2")
    hub.trouble(ids["server"], "disk full", "server")
    await eventually(lambda: browser.model().experiment.problem == "lab2: disk full server: disk full")
    await database_sync_to_async(add_later)(shown, "server", Facts())
    hub.wake(ids["server"])
    await eventually(lambda: browser.model().experiment.problem == "lab2: disk full")
    of_part = Browser()
    await hub.join(ids["lab2"], of_part.send)
    await eventually(lambda: of_part.messages)
    assert browser.model().experiment.problem == "lab2: disk full", "its entries are older"
    await database_sync_to_async(add_later)(shown, "lab2", Facts())
    hub.wake(ids["lab2"])
    await eventually(lambda: browser.model().experiment.problem == "")


async def test_a_wake_up_while_the_journals_are_read_is_not_lost(
    hub: ExperimentHub, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = {name: await database_sync_to_async(part_of)(shown, name) for name in ("server", "lab2")}
    loop = asyncio.get_running_loop()
    fold = parts.fold

    def folding(*args: Any) -> Any:
        found = fold(*args)
        observe(shown, "lab2")
        asyncio.run_coroutine_threadsafe(wake(), loop).result(5)
        return found

    async def wake() -> None:
        hub.wake(ids["lab2"])

    monkeypatch.setattr(parts, "fold", folding)
    browser = Browser()
    await hub.join(shown, browser.send)
    await eventually(lambda: browser.messages)
    await eventually(lambda: hub.followed()[ids["lab2"]] > 0)
    assert (hub.woken, hub.missed) == (1, 0)


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
    """The labs answer by the experiment that they are asked about; what they were asked."""
    asked: list[tuple[Any, ...]] = []

    async def ask_about(experiment: str, function: Any, *args: Any) -> Any:
        asked.append((experiment, function.__name__, *args))
        return answer(experiment)

    monkeypatch.setattr(service, "ask_about", ask_about)
    return asked


async def test_every_machine_requests_its_own_paths(shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lab2 = await database_sync_to_async(part_of)(shown, "lab2")
    attempt = Attempt(
        "loopback", "Loopback", "machine", "host", "http://127.0.0.1/", "curl", 200, key="host/loopback/x"
    )
    absent: set[str] = set()

    def answer(experiment: str) -> tuple[Attempt, ...]:
        if experiment in absent:
            raise LabUnavailableError("It does not respond.")
        return (attempt,)

    answering(monkeypatch, answer)
    assert [one.origin for one in await machines.try_paths(shown)] == ["machine", "machine@2"]
    absent.add(lab2)
    assert [one.origin for one in await machines.try_paths(shown)] == ["machine"]
    absent.add(await database_sync_to_async(part_of)(shown, "server"))
    with pytest.raises(LabUnavailableError):
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


def test_the_replay_continues_with_new_entries_of_each_machine(owner: Client, whole: str) -> None:
    observe(whole, "server")
    first = owner.get(f"/experiments/{whole}/track/").json()
    observe(whole, "lab2")
    second = owner.get(f"/experiments/{whole}/track/").json()
    record = experiment_store.load(whole)
    assert record is not None
    assert len(first["seqs"]) < len(second["seqs"]) == len(list(parts.read(record)))


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


def test_what_one_machine_has_written_wrongly_does_not_hide_the_others(owner: Client, whole: str) -> None:
    observe(whole, "server", "lab2")
    part = part_of(whole, "lab2")
    Experiment.objects.filter(pk=part).update(phase="x")
    JournalEntry.objects.filter(experiment=part).update(facts="[")
    assert owner.get("/").status_code == 200
    assert [one["id"] for one in owner.get("/api/experiments").json()] == [whole]
    page = owner.get(f"/experiments/{whole}/")
    assert page.status_code == 200
    assert "lab2: An entry of this machine cannot be read" in page.content.decode()
    assert 'data-column="bridge"' in page.content.decode()


def ask(owner: Client, url: str) -> tuple[list[dict[str, Any]], str]:
    """The entries, and the address of the next page."""
    answer = owner.get(url)
    assert answer.status_code == 200, answer.content
    found = re.fullmatch(r'<(/api/experiments/\w+/journal\?.+)>; rel="next"', answer.headers.get("Link", ""))
    return answer.json(), found[1] if found else ""


def test_pages_follow_each_other_by_their_links(owner: Client, whole: str) -> None:
    observe(whole, "server", "lab2")
    all_entries, _next = ask(owner, f"/api/experiments/{whole}/journal")
    read: list[dict[str, Any]] = []
    url = f"/api/experiments/{whole}/journal?limit=4"
    for _number in range(20):
        page, following = ask(owner, url)
        read += page
        if not page:
            break
        url = following
    assert read == all_entries


def test_an_entry_that_becomes_visible_late_is_neither_skipped_nor_are_others_repeated(
    owner: Client, whole: str
) -> None:
    """Rows get their numbers before they are visible."""
    observe(whole, "server", "lab2")
    server, lab2 = part_of(whole, "server"), part_of(whole, "lab2")
    late = JournalEntry.objects.filter(experiment=server).latest("seq")
    late.delete()
    late.experiment_id = server
    before, url = ask(owner, f"/api/experiments/{whole}/journal")
    late.save(force_insert=True)
    after = Entry(experiment_store.newest([lab2])[lab2][0] + 1, 1300.0, Cause(Source.LAB), Facts(), "the next one")
    experiment_store.append(lab2, [after])
    page, _next = ask(owner, url)
    assert [entry["text"] for entry in page] == ["server: running", "lab2: the next one"]
    assert [entry["seq"] for entry in page] == [before[-1]["seq"] + 1, before[-1]["seq"] + 2]
    assert page[0]["facts"]["head"]["phase"] == "running"


def test_another_cursor_is_refused(owner: Client, whole: str) -> None:
    for cursor in ("x", "1", "1-2-3", "1--2", "1-99999999999"):
        answer = owner.get(f"/api/experiments/{whole}/journal?cursor={cursor}")
        assert answer.status_code == 400
        assert "not a cursor" in answer.json()["detail"]


def test_the_journal_of_one_machine_has_no_links(owner: Client) -> None:
    identity = parts.create(make_spec("host"))
    experiment_store.append(identity, entries_of("server", ("host",)))
    entries, following = ask(owner, f"/api/experiments/{identity}/journal?after=2&limit=2")
    assert ([entry["seq"] for entry in entries], following) == ([3, 4][: len(entries)], "")
