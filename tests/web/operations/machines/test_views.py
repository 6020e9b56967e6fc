"""The page of machines, on one machine and with machines that have joined."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlencode

import msgspec
import pytest
from channels.db import database_sync_to_async
from django.test import override_settings

from dashboard import __version__
from dashboard.core.experiments.messages import EngineRef, Phase
from dashboard.core.operations.deployment import HeartbeatMessage, LabFacts
from dashboard.core.operations.machines import MachineFacts, MachineState, split_token
from dashboard.core.training.rate_limit import PER_CLIENT
from dashboard.lab.remote.nats_connection import Message, NatsConnection
from dashboard.models import AuditEntry
from dashboard.store import experiments as experiment_store
from dashboard.store import machines
from dashboard.store.operations import machine_roles
from dashboard.store.operations.database_clock import shared_clock
from dashboard.web.operations.machines import join_view, presenters
from dashboard.web.operations.machines.presenters import list_lines, stamp_of
from dashboard.web.operations.remote_lab import RemoteLabs
from dashboard.web.service import service
from tests.support.records import load_record
from tests.support.specs import make_spec
from tests.web.asgi_client import Answer, Person, http

pytestmark = pytest.mark.django_db(transaction=True)
FACTS = MachineFacts(8, 16384, 40, "docker", "28.5.0", "6.12.1", "0.1.0")
FORM = (("content-type", "application/x-www-form-urlencoded"),)


async def get(path: str, me: Person) -> Answer:
    return await http("GET", path, who=me)


async def post(path: str, me: Person, **fields: str) -> Answer:
    return await http("POST", path, who=me, headers=FORM, body=urlencode(fields).encode(), token=True)


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings of a team deployment, without a real PostgreSQL."""
    monkeypatch.setattr(machine_roles, "is_supported", lambda: True)
    monkeypatch.setattr(machine_roles, "close", lambda machine: None)
    with override_settings(NATS_URL="nats://web:y@nats.example:4222"):
        yield


async def test_on_one_machine_the_page_states_how_to_add_one(me: Person) -> None:
    page = await get("/machines/", me)
    assert page.status == 200
    assert "Everything runs on one machine." in page.text
    assert "PostgreSQL and NATS" in page.text
    assert "/machines/tokens/" not in page.text
    assert (await post("/machines/tokens/", me, address="https://a.example")).status == 400


async def test_a_token_is_shown_once(team: None, me: Person) -> None:
    made = await post("/machines/tokens/", me, address="https://netmodes.example.org/")
    assert made.status == 201
    found = re.search(r"join (netmodes-[\w-]+)", made.text)
    assert found
    assert split_token(found[1])[0] == "https://netmodes.example.org"
    page = (await get("/machines/", me)).text
    assert found[1] not in page
    listed = re.findall(r"/machines/tokens/(\w+)/revoke/", page)
    assert len(listed) == 1
    assert (await post(f"/machines/tokens/{listed[0]}/revoke/", me)).status == 302
    assert (await post(f"/machines/tokens/{listed[0]}/revoke/", me)).status == 404
    wrong = await post("/machines/tokens/", me, address="<nowhere>")
    assert (wrong.status, "https://HOST" in wrong.text, "&lt;nowhere&gt;" in wrong.text) == (400, True, True)


async def test_an_address_that_only_this_machine_can_open_is_not_suggested(team: None, me: Person) -> None:
    page = await http("GET", "/machines/", who=me)
    assert 'name="address" value=""' in page.text
    assert "only this computer can use" in page.text


async def test_machines_are_listed_drained_and_revoked(team: None, me: Person) -> None:
    await database_sync_to_async(machines.register)("lab2", {"rack": "7"}, FACTS)
    page = (await get("/machines/", me)).text
    for shown in ("lab2", "rack=7", "28.5.0", "6.12.1", "8 cores", "absent"):
        assert shown in page
    assert (await post("/machines/lab2/drain/", me)).status == 302
    assert "Resume" in (await get("/machines/", me)).text
    assert (await post("/machines/lab2/undrain/", me)).status == 302
    experiment = await database_sync_to_async(experiment_store.create_experiment)(make_spec("none"), machine="lab2")
    assert (await post("/machines/lab2/revoke/", me)).status == 302
    record = await database_sync_to_async(load_record)(experiment)
    assert record.phase is Phase.STOPPED
    assert "revoked" in (await get("/machines/", me)).text
    for path in ("/machines/lab2/revoke/", "/machines/none/drain/", "/machines/lab2/other/"):
        assert (await post(path, me)).status == 404


async def test_the_own_machine_of_the_installation_is_listed_first(
    team: None, me: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database_sync_to_async(machines.register)("lab2", {}, FACTS)
    labs = RemoteLabs(NatsConnection("nats://127.0.0.1:1"))
    monkeypatch.setattr(service, "labs", labs)
    page = (await get("/machines/", me)).text
    assert page.index("the installation's own machine") < page.index("lab2")
    assert '<span class="dot away" aria-hidden="true"></span>no lab' in page
    assert "/machines/server/" not in page
    engine = EngineRef("28.5.1", "1.51", kernel="6.12.9")
    heartbeat = HeartbeatMessage("server.a.0", LabFacts(engine), version=__version__, capacity=31)
    labs.server.on_heartbeat(Message("netmodes.web.heartbeat.server", msgspec.json.encode(heartbeat)))
    page = (await get("/machines/", me)).text
    for shown in ("28.5.1", "6.12.9", "about 31 private hosts", 'href="/doctor/"'):
        assert shown in page
    assert labs.connected_machines() == ()
    labs.of("lab2").on_heartbeat(
        Message("netmodes.web.heartbeat.lab2", msgspec.json.encode(replace(heartbeat, lab="lab2.a.0")))
    )
    assert labs.connected_machines() == ("lab2",)
    labs.refuse(frozenset({"lab2"}))
    assert labs.connected_machines() == ()


async def test_a_drained_machine_states_whether_it_can_be_upgraded(
    team: None, me: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database_sync_to_async(machines.register)("lab2", {}, FACTS)
    await database_sync_to_async(machines.set_draining)("lab2", draining=True)
    monkeypatch.setattr(presenters, "state_of", lambda record, **_: MachineState.DRAINING)
    assert "it can be upgraded now" in (await get("/machines/", me)).text
    await database_sync_to_async(experiment_store.create_experiment)(make_spec("none"), machine="lab2")
    page = (await get("/machines/", me)).text
    assert "it can be upgraded now" not in page
    assert "Still in use: 1 experiment or run.</span>" in page
    monkeypatch.setattr(presenters, "count_hosts", lambda _machine: 2)
    used = "Still in use: 2 private hosts, 1 experiment or run. "
    used += "Open the console of their training session to move the hosts to another machine."
    assert used in (await get("/machines/", me)).text


def test_the_stamp_changes_with_everything_but_the_time_of_heartbeats() -> None:
    machines.register("lab2", {}, FACTS)
    (line,) = list_lines()
    assert line.state is MachineState.ABSENT
    assert line.engine.endswith("28.5.0")
    stamp = stamp_of((line,))
    assert stamp == stamp_of((replace(line, record=replace(line.record, seen_at=9.0)),))
    assert stamp == stamp_of((replace(line, lag_s=9.0),))
    assert stamp != stamp_of((replace(line, state=MachineState.CONNECTED),))
    assert stamp != stamp_of((replace(line, engine="Docker Engine 29.0"),))


async def test_joining_needs_no_account_and_refuses_what_is_no_request(me: Person) -> None:
    for body in (b"", b"[]", b'{"token": 1}'):
        answer = await http("POST", "/machines/join/", body=body)
        assert answer.status == 400
        assert "problem" in answer.text
    body = b'{"token": "x", "name": "lab2", "facts": {"version": "9.0.0"}}'
    answer = await http("POST", "/machines/join/", body=body)
    assert (answer.status, "newer than the server" in answer.text) == (409, True)
    answer = await http("POST", "/machines/join/", body=body.replace(b"9.0.0", b""))
    assert (answer.status, "PostgreSQL and NATS" in answer.text) == (403, True)
    assert (await http("GET", "/machines/join/")).status == 405
    assert (await post("/machines/join/", me)).status == 403, "no browser sends this"


async def test_facts_that_the_database_cannot_store_are_a_bad_request(team: None) -> None:
    for facts in (b'{"cpus": -1}', b'{"memory_mb": 1e12}', b'{"kernel": "a\\u0000"}'):
        body = b'{"token": "x", "name": "lab2", "facts": ' + facts + b"}"
        assert (await http("POST", "/machines/join/", body=body)).status == 400


async def test_wrong_tokens_are_audited_and_limited_and_name_no_machine(
    team: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = shared_clock()
    monkeypatch.setattr(join_view, "shared_clock", lambda: now)  # no attempt is given back meanwhile
    await database_sync_to_async(machines.register)("lab2", {}, FACTS)
    body = b'{"token": "x", "name": "lab2", "facts": {}}'
    for _attempt in range(int(PER_CLIENT.burst)):
        answer = await http("POST", "/machines/join/", body=body)
        assert (answer.status, "already joined" in answer.text) == (403, False)
    answer = await http("POST", "/machines/join/", body=body)
    assert (answer.status, "Too many wrong tokens" in answer.text) == (429, True)
    entries = [(entry.account, entry.outcome) async for entry in AuditEntry.objects.all()]
    assert entries == [("machine", "refused")] * int(PER_CLIENT.burst)
