"""A machine with hosts of a session goes away or is drained: what people see, and how the hosts move."""

from __future__ import annotations

import pytest
from channels.db import database_sync_to_async

from dashboard.core.operations.machines import MachineFacts
from dashboard.core.training.session import HostsFor
from dashboard.models import AuditEntry, GroupHost, TrainingSession
from dashboard.store import machines
from tests.support.polling import eventually
from tests.web.asgi_client import Person, person, websocket
from tests.web.training.machine_fakes import Machines, join_machines
from tests.web.training.session_clients import OWN, get, join, new, post, sign_in_as

pytestmark = pytest.mark.django_db(transaction=True)


@database_sync_to_async
def placed(row: TrainingSession) -> dict[str, tuple[str | None, str]]:
    rows = GroupHost.objects.filter(session=row).values_list("group", "machine_id", "state")
    return {group.rpartition("-")[2]: (machine, state) for group, machine, state in rows}


class Class:
    """A session with a host for each of two participants, on two machines."""

    def __init__(self, row: TrainingSession, owner: Person, people: list[Person], there: Machines) -> None:
        self.row, self.owner, self.people, self.there = row, owner, people, there
        self.home = f"/sessions/{row.id}/"
        self.console = f"{self.home}console/"


@pytest.fixture
async def session(monkeypatch: pytest.MonkeyPatch) -> Class:
    row = await new(hosts=HostsFor.PERSON)
    there = await database_sync_to_async(join_machines)(monkeypatch, "attic", "barn", hosts=1)
    people = [(await join(row.code, name))[1] for name in ("Ada", "Bob")]
    for one in people:
        assert (await post(f"/sessions/{row.id}/host/", one)).status == 302
    await database_sync_to_async(GroupHost.objects.update)(state="ready", host="abc")
    assert await placed(row) == {"1": ("attic", "ready"), "2": ("barn", "ready")}
    await database_sync_to_async(machines.register)("cellar", {}, MachineFacts(capacity=1))
    return Class(row, await person(), people, there)


async def test_the_page_of_a_host_on_a_machine_that_is_gone_says_what_to_do(session: Class) -> None:
    session.there.gone.add("attic")
    page = (await get(session.home, session.people[0])).text
    assert 'data-stage="unreachable"' in page
    assert "The machine “attic”, which holds this host, does not respond. Wait a moment" in page
    assert "does not respond" not in (await get(session.home, session.people[1])).text


async def test_open_pages_learn_that_a_machine_is_gone_and_others_notice_nothing(session: Class) -> None:
    ws = f"/ws{session.home}"
    async with (
        websocket(ws, who=session.people[0], headers=OWN) as ada,
        websocket(ws, who=session.people[1], headers=OWN) as bob,
    ):
        session.there.gone.add("attic")
        message: dict[str, object] = {}
        while message.get("host") != "unreachable":
            message = await ada.message()
        assert "attic" in str(message["host_text"])
        session.there.gone.clear()
        while message.get("host") != "ready":
            message = await ada.message()
        assert "unreachable" not in str([await bob.message(), await bob.message()])


async def test_the_console_moves_the_hosts_of_a_machine_that_is_gone(session: Class) -> None:
    page = (await get(session.console, session.owner)).text
    assert "attic" in page
    assert "steer/move/" not in page
    session.there.gone.add("attic")
    page = (await get(session.console, session.owner)).text
    assert "These participants cannot use their hosts" in page
    assert "Move this host to another machine" in page
    assert "Ada." in page
    assert (await post(f"{session.console}steer/move/", session.owner, machine="attic")).status == 302
    assert await placed(session.row) == {"1": ("cellar", "queued"), "2": ("barn", "ready")}
    entry = await AuditEntry.objects.aget(action="steer session")
    assert (entry.object, entry.outcome) == (f"{session.row.id} move", "done")


async def test_a_move_of_only_some_hosts_states_why_the_others_stay(session: Class) -> None:
    await database_sync_to_async(GroupHost.objects.update)(machine="attic")
    await database_sync_to_async(machines.set_draining)("barn", draining=True)
    session.there.gone.add("attic")
    answer = await post(f"{session.console}steer/move/", session.owner, machine="attic")
    assert answer.status == 400
    assert "1 host was moved. The others stay on attic: All 2 machines are full" in answer.text
    assert await placed(session.row) == {"1": ("cellar", "queued"), "2": ("attic", "ready")}


async def test_a_move_that_is_not_needed_or_not_allowed_is_refused(session: Class) -> None:
    move = f"{session.console}steer/move/"
    refused = await post(move, session.owner, machine="attic")
    assert refused.status == 400
    assert "responds and is not drained" in refused.text
    session.there.gone |= {"attic", "cellar"}
    assert "All 2 machines are full" in (await post(move, session.owner, machine="attic")).text
    assert (await post(move, await sign_in_as("rival"), machine="attic")).status == 404
    assert (await post(move, session.people[0], machine="attic")).status in {401, 403, 404}
    assert await placed(session.row) == {"1": ("attic", "ready"), "2": ("barn", "ready")}


async def test_a_drained_machine_keeps_its_hosts_until_they_are_moved(session: Class) -> None:
    await database_sync_to_async(machines.set_draining)("barn", draining=True)
    page = (await get(session.console, session.owner)).text
    assert "This machine is drained: it takes no new hosts" in page
    assert 'data-stage="ready"' in (await get(session.home, session.people[1])).text
    assert (await post(f"{session.console}steer/move/", session.owner, machine="barn")).status == 302
    assert (await placed(session.row))["2"] == ("cellar", "queued")


async def test_a_host_that_fits_nowhere_waits_and_starts_when_a_machine_joins(
    session: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database_sync_to_async(machines.revoke)("cellar")
    cleo = (await join(session.row.code, "Cleo"))[1]
    assert (await post(f"{session.home}host/", cleo)).status == 302
    page = (await get(session.home, cleo)).text
    assert "waiting for a machine" in page
    assert "All 3 machines are full" in page
    async with websocket(f"/ws{session.home}", who=cleo, headers=OWN):
        await database_sync_to_async(join_machines)(monkeypatch, "dome")

        async def is_placed() -> bool:
            found: tuple[str | None, str] = (await placed(session.row))["3"]
            return found == ("dome", "queued")

        await eventually(is_placed, 20)
