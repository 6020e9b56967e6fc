"""The live stream of an experiment on several machines."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from channels.db import database_sync_to_async

from dashboard.core.comparison.rows import compare
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.journal import Facts
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.machines.groups import MachineNote
from dashboard.core.experiments.messages import Phase
from dashboard.models import Experiment
from dashboard.store import parts
from dashboard.web import feed_hub
from dashboard.web.experiments.hub import ExperimentHub
from dashboard.web.experiments.views import load_snapshot
from dashboard.web.feed_hub import GONE
from tests.core.machine_scenes import make_head, two_machines
from tests.support.polling import eventually
from tests.web.experiments.hub_browser import Browser
from tests.web.experiments.machines.experiment import add_later, observe, part_of

pytestmark = pytest.mark.django_db(transaction=True)


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
        asyncio.run_coroutine_threadsafe(wake(), loop).result(20)
        return found

    async def wake() -> None:
        hub.wake(ids["lab2"])

    monkeypatch.setattr(parts, "fold", folding)
    browser = Browser()
    await hub.join(shown, browser.send)
    await eventually(lambda: browser.messages)
    await eventually(lambda: hub.followed()[ids["lab2"]] > 0)
    assert (hub.woken, hub.missed) == (1, 0)
