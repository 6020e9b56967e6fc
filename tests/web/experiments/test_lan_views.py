"""The page of LANs, and launches on their hosts."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User

from dashboard.lab.lans.states import LanHost, LanStage, LanState
from dashboard.lab.remote import lan_calls
from dashboard.models import Experiment
from dashboard.store import experiments as experiment_store
from dashboard.web.experiments import lan_views
from dashboard.web.service import LabUnavailableError
from tests.support.specs import make_spec
from tests.web.asgi_client import Answer, Person, http
from tests.web.training.session_clients import sign_in_as

pytestmark = pytest.mark.django_db(transaction=True)
FORM = (("content-type", "application/x-www-form-urlencoded"),)
OFFICE = LanState(
    "office",
    LanStage.READY,
    (LanHost("aaa111", ("192.0.2.2", "2001:db8::2")), LanHost("bbb222", ("192.0.2.3", "2001:db8::3"))),
    (("192.0.2.10", "2001:db8::10"),),
)


class Lans:
    """The answers of the lab, and what it was asked to do."""

    def __init__(self) -> None:
        self.states: tuple[LanState, ...] = (OFFICE,)
        self.calls: list[tuple[Any, ...]] = []
        self.problem = ""
        self.away = ""

    async def ask(self, function: object, *args: Any) -> Any:
        if self.away:
            raise LabUnavailableError(self.away)
        if function is lan_calls.lans:
            return self.states
        self.calls.append((function, *args))
        return self.problem


@pytest.fixture
def lans(monkeypatch: pytest.MonkeyPatch) -> Lans:
    made = Lans()

    class Service:
        ask = made.ask

    monkeypatch.setattr(lan_views, "service", Service())
    return made


async def post(path: str, who: Person, body: str = "") -> Answer:
    return await http("POST", path, who=who, headers=FORM, body=body.encode(), token=True)


async def test_lans_are_listed_with_hosts_and_neighbours(me: Person, lans: Lans) -> None:
    answer = await http("GET", "/lans/", who=me)
    assert answer.status == 200
    assert 'data-live="no"' in answer.text
    assert "refresh" not in answer.text
    for text in ("office", "192.0.2.2", "bbb222", "192.0.2.10", "Form a swarm", 'href="/?host=aaa111"'):
        assert text in answer.text


async def test_the_list_is_requested_again_while_a_lan_changes(me: Person, lans: Lans) -> None:
    lans.states = (LanState("office", LanStage.CREATING),)
    answer = await http("GET", "/lans/", who=me)
    assert 'data-live="yes" data-live-url="/lans/"' in answer.text
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in answer.text
    assert "creating …" in answer.text
    assert "Remove the LAN" not in answer.text
    (stamp,) = re.findall(r'data-part="lans" data-stamp="(\w+)"', answer.text)
    lans.states = (OFFICE,)
    answer = await http("GET", "/lans/", who=me)
    assert f'data-stamp="{stamp}"' not in answer.text


async def test_a_refused_form_is_not_replaced_while_a_lan_changes(me: Person, lans: Lans) -> None:
    lans.states = (LanState("office", LanStage.CREATING),)
    lans.problem = "The LAN office already exists: choose another name, or remove it first."
    answer = await post("/lans/create/", me, "name=office&hosts=2&neighbours=1")
    assert answer.status == 400
    assert answer["refresh"] == ""
    assert "http-equiv" not in answer.text
    assert 'data-live="yes" data-live-url="/lans/"' in answer.text


async def test_an_ended_host_is_shown_with_a_button_that_starts_it_again(me: Person, lans: Lans) -> None:
    answer = await http("GET", "/lans/", who=me)
    assert "Start the hosts again" not in answer.text
    ended = replace(OFFICE.hosts[1], running=False)
    lans.states = (replace(OFFICE, hosts=(OFFICE.hosts[0], ended)),)
    answer = await http("GET", "/lans/", who=me)
    for text in ("Start the hosts again", "ended", 'href="/?host=aaa111"', 'action="/lans/office/remove/"'):
        assert text in answer.text
    assert 'href="/?host=bbb222"' not in answer.text
    assert "Form a swarm" not in answer.text
    assert set(await lan_views.launch_hosts()) == {"aaa111"}


async def test_a_lan_is_created_and_a_refused_one_comes_back_with_what_was_typed(me: Person, lans: Lans) -> None:
    answer = await post("/lans/create/", me, "name=cellar&hosts=3&neighbours=1")
    assert (answer.status, answer["location"]) == (302, "/lans/")
    assert lans.calls == [(lan_calls.create_lan, "cellar", 3, 1, 1500, 0, 0)]
    lans.problem = "The number of hosts must be from 1 to 8, not 0."
    answer = await post("/lans/create/", me, "name=cellar&hosts=0&neighbours=1")
    assert answer.status == 400
    assert lans.problem in answer.text
    assert 'value="cellar"' in answer.text
    assert lans.calls[1:] == [(lan_calls.create_lan, "cellar", 0, 1, 1500, 0, 0)]


async def test_a_number_of_a_lan_that_is_none_is_named_as_it_was_typed(me: Person, lans: Lans) -> None:
    answer = await post("/lans/create/", me, "name=cellar&hosts=many&neighbours=1")
    assert answer.status == 400
    assert "“many” is not a whole number: correct “Private hosts”." in answer.text
    assert 'value="many"' in answer.text
    answer = await post("/lans/create/", me, "name=cellar&hosts=2&neighbours=1&mtu=1400&delay=20&loss=-1")
    assert "“-1” is not a whole number: correct “Loss on every link (percent)”." in answer.text
    assert lans.calls == []
    for text in ('<details class="options lan-links" open>', 'value="1400"', 'value="20"', 'value="-1"'):
        assert text in answer.text


async def test_the_links_of_a_lan_are_shown(me: Person, lans: Lans) -> None:
    lans.states = (replace(OFFICE, mtu=1400),)
    answer = await http("GET", "/lans/", who=me)
    assert "MTU of every link: 1400 bytes." in answer.text
    assert "Delay:" not in answer.text
    assert '<details class="options lan-links">' in answer.text
    lans.states = (replace(OFFICE, mtu=1400, delay_ms=20, loss_percent=3),)
    assert "Delay: 20 ms. Loss: 3 %." in (await http("GET", "/lans/", who=me)).text


@pytest.mark.parametrize(
    ("what", "call"),
    [
        ("remove", (lan_calls.remove_lan, "office")),
        ("start", (lan_calls.start_lan, "office")),
        ("swarm", (lan_calls.set_swarm, "office", True)),
        ("leave", (lan_calls.set_swarm, "office", False)),
    ],
)
async def test_a_button_changes_the_lan(me: Person, lans: Lans, what: str, call: tuple[Any, ...]) -> None:
    answer = await post(f"/lans/office/{what}/", me)
    assert (answer.status, answer["location"]) == (302, "/lans/")
    assert lans.calls == [call]


@pytest.mark.parametrize("what", ["remove", "start", "swarm", "leave"])
async def test_a_command_during_another_change_of_the_lan_is_refused(me: Person, lans: Lans, what: str) -> None:
    lans.states = (replace(OFFICE, stage=LanStage.CREATING),)
    answer = await post(f"/lans/office/{what}/", me)
    assert answer.status == 409
    assert "The LAN office is being changed. Try again when that has ended." in answer.text
    assert lans.calls == []
    lans.states = (replace(OFFICE, stage=lan_views.STAGES[what]),)
    assert (await post(f"/lans/office/{what}/", me)).status == 302, "this change is already in progress"


async def test_the_removal_of_a_lan_names_how_many_experiments_end(me: Person, lans: Lans) -> None:
    create = database_sync_to_async(experiment_store.create_experiment)
    own, other = OFFICE.hosts
    lans.states = (replace(OFFICE, hosts=(replace(own, own=True), other)), LanState("torn", LanStage.READY))

    async def question() -> str:
        text = (await http("GET", "/lans/", who=me)).text
        assert '<form method="post" action="/lans/torn/remove/"' in text, "nothing is lost: it does not ask"
        assert text.count("<summary>Remove the LAN") == 1
        found = re.search(r'<details id="remove-office">(.*?)</details>', text, re.DOTALL)
        assert found is not None
        assert 'action="/lans/office/remove/"' in found[1]
        return found[1]

    assert "Running experiments that will be stopped: 0." in await question()
    for host in ("bbb222", "bbb222", "", "elsewhere"):
        await create(make_spec("none"), host=host)
    assert "Running experiments that will be stopped: 3." in await question()


async def test_unknown_lans_and_actions_are_refused(me: Person, lans: Lans) -> None:
    answer = await post("/lans/cellar/remove/", me)
    assert answer.status == 404
    assert "No LAN has this name." in answer.text
    answer = await post("/lans/office/paint/", me)
    assert answer.status == 404
    assert lans.calls == []
    lans.away = "No Docker Engine answers."
    for answer in (await post("/lans/office/remove/", me), await post("/lans/create/", me, "name=a")):
        assert answer.status == 409
        assert lans.away in answer.text


@pytest.mark.usefixtures("lab_harness")
async def test_an_experiment_is_launched_on_the_chosen_host(me: Person, lans: Lans) -> None:
    answer = await http("GET", "/?host=bbb222", who=me)
    assert '<input type="hidden" name="host" value="bbb222">' in answer.text
    assert 'href="/?host=bbb222" aria-current="true"' in answer.text
    answer = await post("/experiments/", me, "image=nginx&port=80&mode=none&host=bbb222&anyway=1")
    assert answer.status == 302

    @database_sync_to_async
    def hosts() -> list[str]:
        return list(Experiment.objects.values_list("host", flat=True))

    assert await hosts() == ["bbb222"]
    answer = await http("GET", "/?host=bbb222", who=me)
    assert 'href="/?preset=web&amp;host=bbb222"' in answer.text
    assert (await post("/presets/", me, "preset=web&host=bbb222")).status == 302
    assert await hosts() == ["bbb222"] * 2
    answer = await http("GET", "/", who=me)
    assert answer.text.count('<span class="mode-name">office 192.0.2.3</span>') == 2
    (page, *_) = re.findall(r'href="(/experiments/\w+/)"', answer.text)
    assert ">on private host 192.0.2.3 of the LAN office</span>" in (await http("GET", page, who=me)).text
    lans.states = ()
    assert ">on a private host</span>" in (await http("GET", page, who=me)).text
    lans.states = (OFFICE,)
    assert "Launch on:" in answer.text


@pytest.mark.usefixtures("lab_harness")
async def test_a_host_that_is_gone_is_refused_and_what_was_typed_is_kept(me: Person, lans: Lans) -> None:
    assert (await http("GET", "/?host=ccc333", who=me)).status == 404
    assert (await post("/presets/", me, "preset=web&host=ccc333")).status == 409
    answer = await post("/experiments/", me, "image=mine&port=80&mode=none&host=ccc333")
    assert answer.status == 409
    assert "This machine or host is no longer available" in answer.text
    assert 'value="mine"' in answer.text


@pytest.mark.usefixtures("lab_harness")
async def test_a_host_of_a_lan_that_is_being_removed_is_refused(me: Person, lans: Lans) -> None:
    lans.states = (replace(OFFICE, stage=LanStage.REMOVING),)
    answer = await post("/experiments/", me, "image=mine&port=80&mode=none&host=bbb222")
    assert answer.status == 409
    assert "This machine or host is no longer available" in answer.text


async def test_an_experiment_whose_host_was_removed_is_not_launched_again(me: Person, lans: Lans) -> None:
    create = database_sync_to_async(experiment_store.create_experiment)
    gone, kept = await create(make_spec("none"), host="ccc333"), await create(make_spec("none"), host="bbb222")

    @database_sync_to_async
    def rounds() -> dict[str, int]:
        return dict(Experiment.objects.values_list("pk", "round"))

    for what in ("again", "restart"):
        answer = await post(f"/experiments/{gone}/{what}/", me)
        assert answer.status == 409
        assert "The private host on which this experiment ran was removed. Launch the same modes" in answer.text
    answer = await http("POST", f"/api/experiments/{gone}/again", who=me, token=True)
    assert answer.status == 409
    assert answer.json["detail"].startswith("The private host on which this experiment ran was removed.")
    assert (await post(f"/experiments/{kept}/again/", me)).status == 302
    assert await rounds() == {gone: 1, kept: 2}
    lans.states = (replace(OFFICE, stage=LanStage.REMOVING),)
    assert (await post(f"/experiments/{kept}/again/", me)).status == 409
    lans.away = "No Docker Engine answers."
    assert (await post(f"/experiments/{kept}/again/", me)).status == 302, "it waits until the lab answers"


@pytest.mark.usefixtures("lab_harness")
async def test_the_host_of_the_servers_own_engine_leads_to_the_start_page(me: Person, lans: Lans) -> None:
    own, other = OFFICE.hosts
    lans.states = (replace(OFFICE, hosts=(replace(own, own=True), other)),)
    answer = await http("GET", "/lans/", who=me)
    assert 'href="/?host=aaa111"' not in answer.text
    assert 'href="/">Launch here' in answer.text
    assert 'href="/?host=bbb222"' in answer.text
    assert (await http("GET", "/?host=aaa111", who=me)).status == 404


@pytest.mark.parametrize("what", ["remove", "swarm", "leave"])
async def test_an_instructor_does_not_end_experiments_of_other_accounts(me: Person, lans: Lans, what: str) -> None:
    ada, eve = await sign_in_as("ada"), await sign_in_as("eve")

    @database_sync_to_async
    def launch(name: str) -> None:
        owner = User.objects.get(username=name)
        experiment_store.create_experiment(make_spec("none"), owner.pk, "", OFFICE.hosts[1].id)

    await launch("ada")
    answer = await post(f"/lans/office/{what}/", eve)
    assert answer.status == 409
    assert "Experiments of other accounts run on this LAN: ada." in answer.text
    assert lans.calls == []
    assert (await post(f"/lans/office/{what}/", ada)).status == 302, "these are her own"
    assert (await post(f"/lans/office/{what}/", me)).status == 302, "an owner may"
    assert len(lans.calls) == 2


async def test_experiments_on_the_servers_own_engine_end_with_its_host(me: Person, lans: Lans) -> None:
    own, other = OFFICE.hosts
    lans.states = (replace(OFFICE, hosts=(replace(own, own=True), other)),)
    eve = await sign_in_as("eve")
    await database_sync_to_async(experiment_store.create_experiment)(make_spec("none"))
    answer = await post("/lans/office/remove/", eve)
    assert answer.status == 409
    assert lans.calls == []


async def test_a_lan_without_some_of_its_hosts_is_not_shown_as_complete(me: Person, lans: Lans) -> None:
    assert "Missing:" not in (await http("GET", "/lans/", who=me)).text
    lans.states = (replace(OFFICE, missing=1),)
    assert "Private hosts: 2. Missing: 1" in (await http("GET", "/lans/", who=me)).text
