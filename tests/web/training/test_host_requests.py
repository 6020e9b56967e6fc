"""Which machines are offered to private hosts."""

from __future__ import annotations

import asyncio

import pytest
from channels.db import database_sync_to_async

from dashboard.lab.remote import experiment_calls
from dashboard.lab.supervisor import LabUnavailableError
from dashboard.models import Machine
from dashboard.store import machines
from dashboard.web.service import service
from dashboard.web.training.hosts import host_requests
from dashboard.web.training.hosts.host_requests import absent_machines, expect_hosts, machine_offers
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
