"""Where experiments can be launched: on machines that accept new work and calls."""

from __future__ import annotations

import pytest
from channels.db import database_sync_to_async

from dashboard.store import machines
from dashboard.web.experiments.launch_places import (
    default_machine,
    launch_places,
    machine_names,
    machine_places,
    own_engine_problem,
)
from tests.web.training.machine_fakes import join_machines

pytestmark = pytest.mark.django_db(transaction=True)


async def test_the_places_are_the_machines_that_accept_work(monkeypatch: pytest.MonkeyPatch) -> None:
    there = await database_sync_to_async(join_machines)(monkeypatch, "attic", "barn", "cellar", "dome")
    await database_sync_to_async(machines.set_draining)("barn", draining=True)
    await database_sync_to_async(machines.revoke)("cellar")
    there.gone.add("dome")  # also a machine of another version: it accepts no calls
    assert list(await launch_places()) == ["@attic"]


async def test_an_own_engine_has_a_problem_only_beside_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_engine_problem() == "", "the page of a single server states it elsewhere"
    there = await database_sync_to_async(join_machines)(monkeypatch, "attic")
    assert own_engine_problem() == ""
    there.gone.add("")
    assert own_engine_problem() == "No Docker Engine answers."
    there.versions[""] = "The lab is older than this server."
    assert own_engine_problem() == "The lab is older than this server."


async def test_arms_without_a_machine_run_on_another_only_if_no_lab_has_started_on_the_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find = database_sync_to_async(default_machine)
    assert await find() is None
    there = await database_sync_to_async(join_machines)(monkeypatch, "attic", "barn")
    assert await find() is None
    there.gone.add("")
    assert await find() is None, "its lab launches them when it responds again"
    there.has_own_lab = False
    assert await find() == "attic"
    there.gone.update({"attic", "barn"})
    assert await find() is None


async def test_arms_can_select_the_server_and_the_machines_that_respond(monkeypatch: pytest.MonkeyPatch) -> None:
    there = await database_sync_to_async(join_machines)(monkeypatch, "attic")
    for gone, expected in (((), ("server", "attic")), (("",), ("attic",)), (("attic",), ())):
        there.gone = set(gone)
        assert machine_names(await database_sync_to_async(machine_places)()) == expected
