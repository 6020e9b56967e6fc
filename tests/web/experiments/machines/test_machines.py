"""Experiments on several machines: page, lists, reports, launch form, and what is known about machines."""

from __future__ import annotations

import json
from html import unescape
from typing import Any

import pytest
from django.test import Client

from dashboard.core.experiments.journal import replay
from dashboard.core.experiments.machines.groups import MachineNote
from dashboard.core.experiments.messages import Phase
from dashboard.core.operations.deployment import NO_LAB
from dashboard.core.reports.validate import validate_file
from dashboard.lab.remote.experiment_calls import LaunchOptions
from dashboard.models import Experiment
from dashboard.store import experiments as experiment_store
from dashboard.store import machines as machine_store
from dashboard.store import parts
from dashboard.web.experiments import launch_views, machines
from dashboard.web.service import service
from tests.core.machine_scenes import make_head, two_machines
from tests.support.records import load_record
from tests.support.specs import make_spec
from tests.web.experiments.machines.experiment import create, launch_form, observe, part_of
from tests.web.training.machine_fakes import Connection, join_machines

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_the_badge_of_the_server_s_engine_follows_only_experiments_on_that_engine(owner: Client, whole: str) -> None:
    def follows(identity: str) -> bool:
        return "data-server-engine" in owner.get(f"/experiments/{identity}/").content.decode()

    assert follows(experiment_store.create_experiment(make_spec("host")))
    assert follows(part_of(whole, "server"))
    assert not follows(part_of(whole, "lab2"))
    assert not follows(whole)
    assert not follows(experiment_store.create_experiment(make_spec("host"), host="abc"))


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


def test_the_note_about_each_machine_states_why_it_is_not_current(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machines.machine_notes() == {}
    there = join_machines(monkeypatch, "attic", "barn", "cellar", "dome", "east")
    machine_store.set_draining("barn", draining=True)
    machine_store.revoke("cellar")
    there.gone |= {"dome", ""}
    there.versions["east"] = "It is too old."
    silent = MachineNote("The lab of this machine does not respond. Its columns show the last known state.")
    assert machines.machine_notes() == {
        "server": silent,
        "barn": MachineNote(note="This machine is drained: nothing new starts on it."),
        "cellar": MachineNote("This machine's access was revoked: its lab is no longer connected."),
        "dome": silent,
        "east": MachineNote(note="It is too old."),
    }
    monkeypatch.setattr(service.nats, "problem", "NATS does not answer.")
    notes = machines.machine_notes()
    assert (notes["dome"].absent, notes["east"].note) == ("", "It is too old.")
    assert "cannot tell" in notes["dome"].note


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
    record = load_record(identity)
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
    monkeypatch.setattr(launch_views, "own_engine_problem", lambda: NO_LAB)
    page = owner.get("/").content.decode()
    assert 'href="/?host=@lab3" aria-current="true"' in page
    assert "Nothing can be launched" not in page, "the server of machines that have joined may have no lab"
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
