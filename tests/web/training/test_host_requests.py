"""Which machines are offered to private hosts, and how many placements run at the same time."""

from __future__ import annotations

import asyncio
import threading
from typing import Any
from unittest.mock import Mock

import pytest
from channels.db import database_sync_to_async
from django.db import OperationalError

from dashboard.core.training.host_plan import HostStage
from dashboard.core.training.session import HostsFor, group_key
from dashboard.lab.remote import experiment_calls
from dashboard.lab.supervisor import LabUnavailableError
from dashboard.models import GroupHost, Machine
from dashboard.store import machines
from dashboard.store.training import host_placement
from dashboard.web.service import service
from dashboard.web.training.hosts import host_requests
from dashboard.web.training.hosts.host_requests import absent_machines, expect_hosts, machine_offers, request_first_host
from tests.lab.training_builders import NOW, session
from tests.support.polling import eventually, others_run
from tests.web.training.machine_fakes import join_machines

pytestmark = pytest.mark.django_db(transaction=True)


async def test_one_machine_makes_no_offers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await machine_offers() == ()
    await database_sync_to_async(join_machines)(monkeypatch)
    assert await machine_offers() == ()
    assert await database_sync_to_async(absent_machines)() == frozenset()
    monkeypatch.setattr(service, "labs", None)
    assert await machine_offers() == ()


async def test_joined_machines_are_offered_with_the_servers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    there = await database_sync_to_async(join_machines)(monkeypatch, "attic", "barn", "cellar")
    await database_sync_to_async(machines.set_draining)("barn", draining=True)
    await Machine.objects.filter(pk="barn").aupdate(labels='{"disk": "ssd"}')
    await database_sync_to_async(machines.revoke)("cellar")
    there.gone |= {"", "attic"}
    offers = await machine_offers()
    assert [(offer.name, offer.present, offer.draining) for offer in offers] == [
        ("", False, False),
        ("attic", False, False),
        ("barn", True, True),
    ]
    assert offers[2].labels == {"disk=ssd"}
    assert offers[2].offers.memory_mb > 0
    assert offers[0].offers.memory_mb == 0, "what the heartbeat of the server's lab reports"
    assert await database_sync_to_async(absent_machines)() == {"", "attic", "cellar"}


async def test_hosts_of_the_only_machine_can_go_to_the_server_when_it_is_revoked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await database_sync_to_async(join_machines)(monkeypatch, "attic")
    await database_sync_to_async(machines.revoke)("attic")
    assert [(offer.name, offer.present) for offer in await machine_offers()] == [("", True)]
    assert await database_sync_to_async(absent_machines)() == {"attic"}


async def test_only_machines_that_can_take_hosts_prepare_for_a_new_session(monkeypatch: pytest.MonkeyPatch) -> None:
    there = await database_sync_to_async(join_machines)(monkeypatch, "attic", "barn", "cellar", "den")
    await database_sync_to_async(machines.set_draining)("barn", draining=True)
    there.gone.add("cellar")
    asked: list[str | None] = []

    async def ask_on(machine: str | None, host: str, function: object) -> bool:
        assert (host, function) == ("", experiment_calls.expect_hosts)
        asked.append(machine)
        if machine == "attic":
            raise LabUnavailableError("The lab on the machine attic does not respond.")
        return True

    monkeypatch.setattr(service, "ask_on", ask_on)
    await expect_hosts()
    assert asked == ["attic", "den"]


async def test_a_new_session_waits_for_a_lab_that_prepares_only_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    await database_sync_to_async(join_machines)(monkeypatch, "attic")
    never: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(service, "ask_on", lambda *_: never)
    monkeypatch.setattr(host_requests, "EXPECT_S", 0.01)
    await expect_hosts()
    assert never.cancelled()


async def test_requests_of_a_class_at_the_same_time_share_placements(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without this, requests of a class of 300 that waited for the lock of the database failed after 15 s."""
    await database_sync_to_async(join_machines)(monkeypatch, "attic", hosts=30)
    monkeypatch.setattr(host_requests, "shared_clock", lambda: NOW + 1)
    row = await database_sync_to_async(session)(hosts=HostsFor.PERSON)
    place_all = host_placement.place_waiting
    running, most, placed = 0, 0, []

    def place_waiting(*arguments: Any) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        placed.append(place_all(*arguments))
        running -= 1
        return placed[-1]

    monkeypatch.setattr(host_placement, "place_waiting", place_waiting)
    await asyncio.gather(*(request_first_host(group_key(row.id, number)) for number in range(1, 31)))
    assert (most, sum(placed)) == (1, 30)
    assert len(placed) < 10, "a call places the hosts of all that wait for it"
    assert await GroupHost.objects.filter(machine="attic", state=HostStage.QUEUED).acount() == 30
    placed.clear()
    await request_first_host(group_key(row.id, 1))
    assert placed == [], "a host that was requested before is not placed again"


async def test_a_placement_that_fails_is_shared_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    await database_sync_to_async(join_machines)(monkeypatch, "attic")
    others_wait = threading.Event()
    calls = 0

    def fail_at_second_call(*_arguments: object) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            assert others_wait.wait(20)
        if calls == 2:
            raise OperationalError("the connection was lost")
        return 0

    monkeypatch.setattr(host_placement, "place_waiting", fail_at_second_call)
    async with asyncio.TaskGroup() as group:
        group.create_task(host_requests.place_waiting())
        await eventually(lambda: calls == 1)
        others = asyncio.gather(*(host_requests.place_waiting() for _ in range(2)), return_exceptions=True)
        await others_run()
        others_wait.set()
        assert [str(error) for error in await others] == ["the connection was lost", "None"]
    assert calls == 3


async def test_the_first_request_for_a_host_reads_the_machines_once(monkeypatch: pytest.MonkeyPatch) -> None:
    await database_sync_to_async(join_machines)(monkeypatch, "attic")
    monkeypatch.setattr(host_requests, "shared_clock", lambda: NOW + 1)
    row = await database_sync_to_async(session)(hosts=HostsFor.PERSON)
    list_machines = Mock(side_effect=machines.list_machines)
    monkeypatch.setattr(machines, "list_machines", list_machines)
    await request_first_host(group_key(row.id, 1))
    assert await GroupHost.objects.filter(machine="attic", state=HostStage.QUEUED).acount() == 1
    assert list_machines.call_count == 1
