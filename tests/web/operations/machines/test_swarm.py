"""The page of the swarm of machines: formed after consent, ended, and left by all if one cannot join."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import urlencode

import pytest
from channels.db import database_sync_to_async
from django.db import OperationalError

from dashboard.core.namespaces.state import Family, Route
from dashboard.core.operations.machines import SERVER, MachineFacts
from dashboard.core.operations.swarm import KEPT, Membership, SwarmPlan, SwarmState, SwarmTicket
from dashboard.engine.protocol import EngineError
from dashboard.lab.supervisor import LabUnavailableError
from dashboard.models import AuditEntry
from dashboard.store import machines
from dashboard.store.operations import joining
from dashboard.store.operations.advisory_lock import SwarmLock
from dashboard.web.operations.machines import swarm
from dashboard.web.operations.machines.clients import row_of
from dashboard.web.operations.remote_lab import RemoteLabs
from dashboard.web.service import service
from tests.core.builders import make_interface, make_loopback, make_state
from tests.support.polling import others_run
from tests.web.asgi_client import Answer, Person, abandon, http

pytestmark = pytest.mark.django_db(transaction=True)
#: The installation's own machine in calls of ``ask_on``, and the function that the fixture ``labs`` replaces.
OWN: Any = row_of(SERVER)
NAMES = swarm._names
FORM = (("content-type", "application/x-www-form-urlencoded"),)
PAGE = "/machines/swarm/"


class Labs:
    """The labs of three machines, by name. ``members`` are in the swarm; ``failing`` refuses to join, ``forgetful`` to
    store, and ``hanging`` does not leave; ``kept`` have kept the port of a former swarm, ``absent`` do not respond.
    Members are in the swarm ``since`` this time."""

    def __init__(self) -> None:
        self.members: list[str] = []
        self.foreign: set[str] = set()
        self.failing = self.forgetful = self.hanging = ""
        self.kept: set[str] = set()
        self.absent: set[str] = set()
        self.since = 0.0
        self.stored: list[tuple[str, int]] = []
        self.leaving: list[str] = []
        self.left: list[tuple[str, int]] = []
        self.tickets: list[SwarmTicket] = []

    def _network(self, name: str) -> Any:
        address = f"198.51.100.{name[-1]}"
        route = Route(Family.INET, "198.51.100.0/24", None, "eth0")
        return make_state(
            interfaces=(make_loopback(), make_interface("eth0", 2, addresses=(f"{address}/24",))), routes=(route,)
        )

    async def ask_on(self, machine: str, _host: str, function: Callable[..., Any], *args: Any) -> Any:
        name = function.__name__
        if machine in self.absent:
            raise LabUnavailableError("It does not respond.")
        if machine == self.failing and name == "join_swarm":
            raise EngineError("<timeout> on lab3", 500)
        if name == "view_swarm":
            member = SwarmState(Membership.OWN, "c", f"198.51.100.{machine[-1]}", since=self.since)
            other = SwarmState(Membership.FOREIGN if machine in self.foreign else Membership.NONE)
            if machine in self.kept:
                other = SwarmState(problem=KEPT)
            return member if machine in self.members else other
        if name == "view_machine":
            return self._network(machine)
        if name == "wait_until_stored":
            if machine == self.forgetful:
                raise EngineError("no leader", 503)
            self.stored.append((machine, len(self.members)))
            return True
        if name == "leave_swarm":
            assert args == ()
            await self._leave(machine)
            self.members = [one for one in self.members if one != machine]
            return True
        if name not in {"open_swarm", "join_swarm"}:
            raise LabUnavailableError("No Docker Engine answers.")
        self.members = [*dict.fromkeys((*self.members, machine))]
        if name == "join_swarm":
            self.tickets.append(args[2])
        return SwarmTicket("c", "SWMTKN-secret") if name == "open_swarm" else True

    async def _leave(self, machine: str) -> None:
        self.leaving.append(machine)
        self.left.append((machine, len(self.leaving)))
        try:
            await others_run()
            if machine == self.hanging:
                await asyncio.Event().wait()
        finally:
            self.leaving.remove(machine)


@pytest.fixture
def labs(monkeypatch: pytest.MonkeyPatch) -> Labs:
    made = Labs()
    monkeypatch.setattr(service, "ask_on", made.ask_on)
    monkeypatch.setattr(swarm, "_names", lambda: ("lab1", "lab2", "lab3"))
    monkeypatch.setattr(joining, "installation_problem", lambda: "")
    return made


async def post(me: Person, **fields: str | list[str]) -> Answer:
    return await http("POST", PAGE, who=me, headers=FORM, body=urlencode(fields, doseq=True).encode(), token=True)


async def form(me: Person, *names: str, shown: str = "", **more: str) -> Answer:
    """``shown`` are the members that the page showed."""
    members = [f"{name} c" for name in shown.split()]
    return await post(me, what="form", machine=list(names), member=members, **{"agreed": "yes", **more})


async def test_a_swarm_is_formed_after_consent_and_ended(labs: Labs, me: Person) -> None:
    page = (await http("GET", PAGE, who=me)).text
    assert "A user who has root on one of them can then start containers on all of them" in page
    assert "the machines join without asking them" in page
    assert "End the swarm" not in page
    assert page.count('<span class="dot away"') == 3, "in no swarm"
    refused = await post(me, what="form", machine=["lab1", "lab2"])
    assert (refused.status, "Confirm" in refused.text, labs.members) == (400, True, [])
    assert (await form(me, "lab1", "lab2")).status == 302
    assert labs.members == ["lab1", "lab2"]
    assert labs.stored == [("lab1", 2), ("lab2", 2)], "each, once all have joined"
    page = (await http("GET", PAGE, who=me)).text
    assert page.count("manager of this swarm") == 2
    assert page.count('<span class="dot away"') == 1
    assert "Launch an experiment in overlay mode on several of these machines" in page
    assert "198.51.100.2" in page
    assert "SWMTKN" not in page
    assert page.count('name="member" value="lab1 c"') == page.count('name="member" value="lab2 c"') == 1
    assert (await form(me, "lab3", shown="lab1 lab2")).status == 302
    assert labs.members == ["lab1", "lab2", "lab3"]
    assert {ticket.token for ticket in labs.tickets} == {"SWMTKN-secret"}
    assert (await post(me, what="end")).status == 302
    assert labs.members == []
    assert labs.left == [("lab1", 1), ("lab2", 1), ("lab3", 1)], "one after the other"


async def test_one_machine_alone_is_offered_no_swarm(labs: Labs, me: Person) -> None:
    labs.absent = {"lab2", "lab3"}
    page = (await http("GET", PAGE, who=me)).text
    assert "A swarm needs at least two machines that can join it." in page
    assert 'id="form-swarm"' not in page
    labs.members = ["lab2"]
    labs.absent = {"lab3"}
    assert 'id="form-swarm"' in (await http("GET", PAGE, who=me)).text, "it can join the other one"


async def test_a_machine_that_does_not_leave_does_not_prevent_others_from_leaving(
    labs: Labs, me: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask_on(machine: str, host: str, function: Callable[..., Any], *args: Any) -> Any:
        if function.__name__ == "leave_swarm":  # the time of lab2, which is next after lab1, is short
            monkeypatch.setattr(swarm, "LEAVE_S", 0.05 if machine == "lab1" else 20.0)
        return await labs.ask_on(machine, host, function, *args)

    monkeypatch.setattr(service, "ask_on", ask_on)
    labs.members, labs.hanging = ["lab1", "lab2", "lab3"], "lab2"
    answer = await post(me, what="end")
    assert (answer.status, "lab2: did not leave the swarm in time." in answer.text) == (409, True)
    assert labs.members == ["lab2"]
    assert labs.left == [("lab1", 1), ("lab2", 1), ("lab3", 1)]


@pytest.mark.parametrize("fails_at", ["lab1", "lab2"])
async def test_if_the_database_fails_no_machine_stays_in_the_swarm(
    labs: Labs, monkeypatch: pytest.MonkeyPatch, fails_at: str
) -> None:
    def note(names: Collection[str], since: float) -> None:
        if not since or fails_at in names:
            raise OperationalError("the server closed the connection unexpectedly")

    monkeypatch.setattr(machines, "note_swarm", note)
    plan = SwarmPlan("lab1", ("lab2",), {"lab1": "198.51.100.1", "lab2": "198.51.100.2"}, is_new=True)
    with pytest.raises(OperationalError):
        await swarm.form(plan)
    assert labs.members == []
    labs.members = ["lab1", "lab2"]
    with pytest.raises(OperationalError):
        await swarm.end(("lab1", "lab2"))
    assert labs.members == []


async def test_an_engine_that_has_kept_the_port_of_a_former_swarm_cannot_join(labs: Labs, me: Person) -> None:
    labs.kept = {"lab2"}
    page = (await http("GET", PAGE, who=me)).text
    assert "Restart Docker on this machine" in page
    assert 'value="lab2"' not in page
    answer = await form(me, "lab1", "lab2")
    assert (answer.status, labs.members) == (409, [])
    assert "lab2: Docker left a swarm here but still holds the port for overlay networks (7946)" in answer.text


async def test_if_a_machine_cannot_join_a_new_swarm_all_leave_it(labs: Labs, me: Person) -> None:
    labs.failing = "lab3"
    answer = await form(me, "lab1", "lab2", "lab3")
    assert (answer.status, "lab3: &lt;timeout&gt; on lab3" in answer.text) == (409, True)
    assert labs.members == []
    assert labs.left == [("lab1", 1), ("lab2", 1), ("lab3", 1)], "one after the other"


async def test_if_a_machine_cannot_join_a_swarm_its_members_stay(labs: Labs, me: Person) -> None:
    labs.members, labs.failing = ["lab1", "lab2"], "lab3"
    assert (await form(me, "lab3", shown="lab1 lab2")).status == 409
    assert labs.members == ["lab1", "lab2"]
    labs.failing, labs.forgetful = "", "lab1"
    answer = await form(me, "lab3", shown="lab1 lab2")
    assert (answer.status, "lab1: no leader" in answer.text) == (409, True)
    assert labs.members == ["lab1", "lab2"], "those that have not just joined stay"


async def test_a_swarm_that_netmodes_did_not_form_is_not_touched(labs: Labs, me: Person) -> None:
    labs.foreign = {"lab2"}
    page = (await http("GET", PAGE, who=me)).text
    assert "does not change" in page
    assert 'value="lab2"' not in page
    answer = await form(me, "lab1", "lab2")
    assert (answer.status, labs.members) == (409, [])


async def test_requests_that_are_no_command_are_refused(labs: Labs, me: Person) -> None:
    for answer in (await post(me, what="x"), await post(me), await form(me, "lab1", agreed="")):
        assert answer.status == 400
    assert (await form(me, "lab1", "nowhere")).status == 409
    assert labs.members == []


async def test_if_a_machine_is_revoked_the_swarm_ends(labs: Labs, me: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    labs.members = ["lab1", "lab2"]
    await database_sync_to_async(machines.register)("lab3", {}, MachineFacts())
    monkeypatch.setattr("dashboard.store.operations.machine_roles.close", lambda machine: None)
    answer = await http("POST", "/machines/lab3/revoke/", who=me, headers=FORM, body=b"", token=True)
    assert (answer.status, labs.members) == (302, [])
    assert [count for _machine, count in labs.left] == [1, 1, 1], "one after the other"


def _hold_until_disconnected(labs: Labs, monkeypatch: pytest.MonkeyPatch, name: str) -> Callable[[], bool]:
    """Makes calls of the function ``name`` last until the browser has disconnected. Returns the condition for
    ``abandon``."""
    called, disconnected = asyncio.Event(), asyncio.Event()

    async def ask_on(machine: str, host: str, function: Callable[..., Any], *args: Any) -> Any:
        if function.__name__ == name:
            called.set()
            await disconnected.wait()
            for _ in range(50):  # Django cancels several tasks, one after the other
                await others_run()
        return await labs.ask_on(machine, host, function, *args)

    def is_called() -> bool:
        if called.is_set():
            disconnected.set()
        return called.is_set()

    monkeypatch.setattr(service, "ask_on", ask_on)
    return is_called


@database_sync_to_async
def _entered() -> set[str]:
    return {record.name for record in machines.list_machines() if record.swarm_since}


async def test_if_the_browser_disconnects_the_swarm_is_still_formed_and_ended(
    labs: Labs, me: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("lab1", "lab2"):
        await database_sync_to_async(machines.register)(name, {}, MachineFacts())
    fields = {"what": "form", "agreed": "yes", "machine": ["lab1", "lab2"]}
    until = _hold_until_disconnected(labs, monkeypatch, "join_swarm")
    await abandon("POST", PAGE, until, who=me, headers=FORM, body=urlencode(fields, doseq=True).encode())
    assert (labs.members, labs.stored) == (["lab1", "lab2"], [("lab1", 2), ("lab2", 2)])
    assert await _entered() == {"lab1", "lab2"}
    until = _hold_until_disconnected(labs, monkeypatch, "leave_swarm")
    await abandon("POST", PAGE, until, who=me, headers=FORM, body=b"what=end")
    assert (labs.members, await _entered()) == ([], set())


async def test_if_the_browser_disconnects_after_a_revocation_all_machines_still_leave_the_swarm(
    labs: Labs, me: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    labs.members = ["lab1", "lab2"]
    await database_sync_to_async(machines.register)("lab3", {}, MachineFacts())
    monkeypatch.setattr("dashboard.store.operations.machine_roles.close", lambda machine: None)
    until = _hold_until_disconnected(labs, monkeypatch, "leave_swarm")
    await abandon("POST", "/machines/lab3/revoke/", until, who=me, headers=FORM)
    assert labs.members == []


async def test_if_a_machine_is_revoked_a_foreign_swarm_is_no_problem(
    labs: Labs, me: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    labs.members, labs.foreign = ["lab1"], {"lab2"}
    await database_sync_to_async(machines.register)("lab9", {}, MachineFacts())
    monkeypatch.setattr("dashboard.store.operations.machine_roles.close", lambda machine: None)
    answer = await http("POST", "/machines/lab9/revoke/", who=me, headers=FORM, body=b"", token=True)
    assert (answer.status, answer["location"], labs.members) == (302, "/machines/", [])


async def test_machines_that_have_not_left_the_swarm_of_a_revoked_one_are_named(
    labs: Labs, me: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("lab1", "lab2", "lab3", "lab9"):
        await database_sync_to_async(machines.register)(name, {}, MachineFacts())
    assert (await form(me, "lab1", "lab2")).status == 302
    assert await _entered() == {"lab1", "lab2"}
    labs.absent = {"lab2", "lab3"}
    monkeypatch.setattr("dashboard.store.operations.machine_roles.close", lambda machine: None)
    answer = await http("POST", "/machines/lab9/revoke/", who=me, headers=FORM, body=b"", token=True)
    assert (answer.status, answer["location"], labs.members) == (302, PAGE, ["lab2"])
    page = (await http("GET", PAGE, who=me)).text
    assert "lab2: the state of its engine is not known." in page
    assert "lab3" not in page.partition("the state of its engine is not known")[0].partition('role="alert"')[2]
    labs.absent = set()
    assert "lab2 has been in the swarm since before lab9 was revoked" in (await http("GET", PAGE, who=me)).text
    refused = await form(me, "lab1", shown="lab2")
    assert (refused.status, "since before lab9 was revoked" in refused.text, labs.members) == (409, True, ["lab2"])
    await database_sync_to_async(machines.register)("lab9", {}, MachineFacts())
    assert "lab2 has been in the swarm since before lab9 was revoked" in (await http("GET", PAGE, who=me)).text
    assert (await post(me, what="end")).status == 302
    labs.absent = {"lab1", "lab2", "lab3"}
    assert "was revoked" not in (await http("GET", PAGE, who=me)).text, "they have left the swarm"
    labs.absent, labs.since = set(), time.time() + 60
    assert (await form(me, "lab1", "lab2")).status == 302
    labs.absent = {"lab2"}
    assert "was revoked" not in (await http("GET", PAGE, who=me)).text, "they entered it after that"


@pytest.mark.parametrize("is_member", [True, False])
async def test_the_installations_own_machine_is_named_if_it_has_not_left_the_swarm_of_a_revoked_one(
    labs: Labs, me: Person, monkeypatch: pytest.MonkeyPatch, is_member: bool
) -> None:
    for name in ("lab1", "lab9"):
        await database_sync_to_async(machines.register)(name, {}, MachineFacts())
    if is_member:
        addresses = {"server": "198.51.100.4", "lab1": "198.51.100.1"}
        await swarm.form(SwarmPlan("server", ("lab1",), addresses, is_new=True))
    monkeypatch.setattr(service, "labs", RemoteLabs(service.nats))  # its lab has sent no heartbeat
    monkeypatch.setattr(swarm, "_names", NAMES)
    monkeypatch.setattr("dashboard.store.operations.machine_roles.close", lambda machine: None)
    labs.absent = {OWN}
    answer = await http("POST", "/machines/lab9/revoke/", who=me, headers=FORM, body=b"", token=True)
    assert (answer.status, answer["location"]) == (302, PAGE if is_member else "/machines/")
    assert labs.members == ([OWN] if is_member else [])
    page = (await http("GET", PAGE, who=me)).text
    assert ("server: the state of its engine is not known." in page) is is_member
    assert ('<th scope="row">server</th>' in page) is is_member


async def test_a_machine_that_was_no_member_when_the_form_was_shown_is_not_asked_for_a_ticket(
    labs: Labs, me: Person
) -> None:
    labs.members = ["lab3"]
    answer = await form(me, "lab1", "lab2")
    assert (answer.status, "The members of the swarm have changed" in answer.text) == (409, True)
    assert (labs.members, labs.tickets) == (["lab3"], [])


async def test_one_request_at_a_time_changes_the_swarm(labs: Labs, me: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[SwarmLock] = []
    changes: list[tuple[str, bool]] = []

    def acquire(self: SwarmLock, _wait_s: float = 0.0) -> bool:
        if taken:
            return False
        taken.append(self)
        return True

    def release(self: SwarmLock) -> None:
        if self in taken:
            taken.clear()

    async def ask_on(machine: str, host: str, function: Callable[..., Any], *args: Any) -> Any:
        if function.__name__ in {"open_swarm", "join_swarm", "leave_swarm"}:
            changes.append((function.__name__, bool(taken)))
        return await labs.ask_on(machine, host, function, *args)

    monkeypatch.setattr(SwarmLock, "acquire", acquire)
    monkeypatch.setattr(SwarmLock, "release", release)
    monkeypatch.setattr(service, "ask_on", ask_on)
    assert (await form(me, "lab1", "lab2")).status == 302
    assert (await post(me, what="end")).status == 302
    assert changes == [(f"{name}_swarm", True) for name in ("open", "join", "leave", "leave")]
    assert not taken
    taken.append(SwarmLock())
    for refused in (await post(me, what="end"), await form(me, "lab1", "lab2")):
        assert (refused.status, "Another request is changing the swarm" in refused.text) == (409, True)
    assert len(changes) == 4
    labs.members = ["lab1", "lab2"]
    assert not await swarm.end_everywhere(), "the other request may add members"
    assert labs.members == [], "but a revoked machine is not trusted until that has ended"


def _audited() -> list[str]:
    return [entry.object for entry in AuditEntry.objects.filter(action="change swarm").order_by("at")]


async def test_the_audit_trail_names_what_was_done_with_which_machines(labs: Labs, me: Person) -> None:
    await form(me, "lab1", "lab2")
    await form(me, "lab3", shown="lab1 lab2")
    await post(me, what="end")
    await form(me, "lab1", "\x00")
    found = await database_sync_to_async(_audited)()
    assert found == ["form lab1 lab2", "form lab3", "end lab1 lab2 lab3", "form lab1"]


async def test_on_one_machine_the_page_states_that_there_is_nothing_to_join(me: Person) -> None:
    page = await http("GET", PAGE, who=me)
    assert (page.status, "PostgreSQL and NATS" in page.text) == (200, True)
    assert 'id="form-swarm"' not in page.text
