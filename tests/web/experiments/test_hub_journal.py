"""The feed of an experiment and its journal: entries in memory and in the database, failed queries, trouble."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import OperationalError

from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.messages import ArmStatus, Phase
from dashboard.core.experiments.stream import Patch
from dashboard.core.namespaces.state import Listener
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store import recent_entries
from dashboard.web import feed_hub
from dashboard.web.experiments.hub import ExperimentHub
from tests.core.sample import make_columns, make_head, make_listener, make_states
from tests.support.polling import eventually
from tests.web.experiments.hub_browser import Browser, entry, first, joined, listening, publish, settled, write

pytestmark = pytest.mark.django_db(transaction=True)


async def test_entries_that_are_not_in_memory_come_from_the_database(hub: ExperimentHub, identity: str) -> None:
    await write(identity, first())
    browser = await joined(hub, identity)
    await write(identity, listening(2, 9001), listening(3, 9002))
    recent_entries.forget(identity)
    await publish(hub, identity, listening(4, 9003))
    await settled(browser, 4)
    assert isinstance(browser.messages[-1], Patch)
    assert browser.messages[-1].base == 1
    assert browser.model().rows == compare(make_columns(), make_states(*listeners(9003)))


def listeners(last: int) -> tuple[Listener, ...]:
    return tuple(make_listener(port, "server", 40000) for port in range(9000, last + 1))


async def test_more_entries_than_the_ring_holds_leave_no_gap(
    hub: ExperimentHub, identity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_entries, "MAX_ENTRIES", 4)
    await write(identity, first())
    browser = await joined(hub, identity)
    await publish(hub, identity, *(listening(seq, 9000 + seq) for seq in range(2, 30)))
    await settled(browser, 29)
    assert len(browser.model().timeline) == 29


async def test_a_failed_query_is_repeated(
    hub: ExperimentHub, identity: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(feed_hub, "RETRY_S", 0.02)
    read = experiment_store.load
    failures = iter([True, True, False])

    def load(experiment: str) -> Any:
        if next(failures, False):
            raise OperationalError("database is locked")
        return read(experiment)

    monkeypatch.setattr(experiment_store, "load", load)
    await write(identity, first())
    browser = Browser()
    await hub.join(identity, browser.send)
    assert (await settled(browser, 1)).seq == 1
    assert "database is locked" in caplog.text


async def test_trouble_with_the_journal_is_shown_with_its_start_and_ends(hub: ExperimentHub, identity: str) -> None:
    await write(identity, first())
    browser = await joined(hub, identity)
    hub.trouble(identity, "The journal cannot be written: disk full. Trying again.")
    await eventually(lambda: "disk full" in browser.model().experiment.problem)
    since = browser.model().experiment.problem_since
    assert since is not None
    hub.trouble(identity, "The journal cannot be written: locked. Trying again.")
    await eventually(lambda: "locked" in browser.model().experiment.problem)
    assert browser.model().experiment.problem_since == since
    late = Browser()
    await hub.join(identity, late.send)
    assert "locked" in (await settled(late, 1)).experiment.problem
    hub.trouble(identity, "of another machine", "lab2")
    hub.trouble(identity, "", "lab2")
    assert "locked" in browser.model().experiment.problem, "a machine reports only about its own experiments"
    hub.trouble(identity, "")
    await publish(hub, identity, listening(2, 9001))
    await settled(browser, 2)
    assert browser.model().experiment.problem == ""
    assert browser.model() == late.model()


async def test_a_new_name_reaches_every_browser_and_stays(hub: ExperimentHub, identity: str) -> None:
    await write(identity, first())
    early, late = Browser(), Browser()
    await hub.join(identity, early.send)
    await settled(early, 1)
    hub.rename(identity, "Shop & blog")
    await eventually(lambda: len(early.texts) == 2)
    assert early.model().experiment.title == "Shop & blog"
    hub.rename(identity, "Shop & blog")
    await publish(hub, identity, entry(2, head=make_head(Phase.STOPPING)))
    assert (await settled(early, 2)).experiment.title == "Shop & blog"
    assert len(early.texts) == 3, "the same name again is no news"
    await hub.join(identity, late.send)
    assert (await settled(late, 2)).experiment.title == "Shop & blog"
    hub.rename("nothing", "x")


async def test_trouble_of_an_experiment_without_browsers_is_ignored(hub: ExperimentHub, identity: str) -> None:
    hub.trouble(identity, "x")
    hub.wake(identity)
    assert hub.browsers == 0


@pytest.mark.parametrize(
    ("reason", "queries"), [("Bind for 0.0.0.0:8080 failed: port is already allocated", 1), ("no swarm manager", 0)]
)
async def test_other_experiments_are_read_only_for_a_new_answer_about_a_port_in_use(
    hub: ExperimentHub, identity: str, monkeypatch: pytest.MonkeyPatch, reason: str, queries: int
) -> None:
    read: list[str] = []

    def other_port_users(experiment: str) -> tuple[()]:
        read.append(experiment)
        return ()

    monkeypatch.setattr("dashboard.web.experiments.hub.other_port_users", other_port_users)
    machine, refused, *others = make_columns()
    columns = (machine, replace(refused, status=ArmStatus.REFUSED, error=reason), *others)
    await write(identity, entry(1, head=make_head(), columns=columns, states=make_states()))
    browser = await joined(hub, identity)
    await publish(hub, identity, entry(2))
    assert (await settled(browser, 2)).answer.trouble
    assert len(read) == queries


async def test_a_long_journal_is_read_in_pages(
    hub: ExperimentHub, identity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(identity, first(), *(listening(seq, 9000 + seq) for seq in range(2, 30)))
    recent_entries.forget(identity)
    read, limits = journal_store.entries, []

    def entries(experiment: str, after: int = 0, until: int | None = None, limit: int | None = None) -> Any:
        limits.append(limit)
        return read(experiment, after, until, limit)

    monkeypatch.setattr(journal_store, "entries", entries)
    monkeypatch.setattr(journal_store, "PAGE", 4)
    browser = await joined(hub, identity, 29)
    shown = browser.model()
    assert set(limits) == {4}
    assert [item.seq for item in shown.timeline] == list(range(1, 30))
    assert shown.timeline[-1].offset_s == pytest.approx(28)
