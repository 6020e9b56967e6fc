"""The recording of an experiment, as a browser loads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from channels.db import database_sync_to_async

from dashboard.core.experiments.journal import Entry, replay
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.operations.machines import MachineFacts
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store import machines as machine_store
from dashboard.store import parts
from dashboard.web.experiments import replay_views
from tests.core.machine_scenes import LAB2, SERVER, entries_of
from tests.core.replay_reader import Reader
from tests.core.replay_vectors import shown
from tests.core.reports.replay.test_recording import assert_shows, repeating
from tests.support.records import load_record
from tests.support.specs import make_spec
from tests.web.asgi_client import Person, http, person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    replay_views._cache.clear()
    yield
    replay_views._cache.clear()


@database_sync_to_async
def write(entries: Sequence[Entry], identity: str = "") -> str:
    identity = identity or experiment_store.create_experiment(make_spec("host", "bridge"))
    journal_store.append(identity, entries)
    return identity


async def fetch(identity: str, who: Person) -> Reader:
    answer = await http("GET", f"/experiments/{identity}/track/", who=who)
    assert (answer.status, answer["content-type"], answer["cache-control"]) == (200, "application/json", "no-store")
    return Reader(answer.body)


async def test_the_recording_has_every_entry_and_grows_with_the_journal() -> None:
    me, entries = await person(), repeating(6)
    identity = await write(entries[:4])
    assert len(await fetch(identity, me)) == 4
    made = replay_views._cache[identity].recording
    await write(entries[4:], identity)
    reader = await fetch(identity, me)
    assert replay_views._cache[identity].recording is made
    assert len(reader) == 6
    for position, entry in enumerate(entries):
        assert_shows(reader, position, shown(replay(entries[: position + 1]), entry, entries[0].at))


async def test_a_long_journal_is_replayed_from_where_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_views, "MAX_ENTRIES", 3)
    entries = repeating(7)
    reader = await fetch(await write(entries), await person())
    assert reader.seqs == [5, 6, 7]
    assert_shows(reader, 0, shown(replay(entries[:5]), entries[4], entries[0].at))


async def test_only_a_few_recordings_are_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_views, "KEPT", 2)
    me = await person()
    first, *others = [await write(repeating(1)) for _ in range(3)]
    for identity in (first, others[0], first, others[1]):
        await fetch(identity, me)
    assert list(replay_views._cache) == [first, others[1]]


async def test_before_the_first_entry_there_is_nothing_to_replay() -> None:
    identity = await database_sync_to_async(experiment_store.create_experiment)(make_spec("host", "bridge"))
    assert len(await fetch(identity, await person())) == 0


async def test_a_recording_needs_a_signed_in_user_and_an_experiment() -> None:
    me = await person()
    identity = await write(repeating(1))
    assert (await http("GET", f"/experiments/{identity}/track/")).status == 401
    assert (await http("GET", "/experiments/nobody/track/", who=me)).status == 404
    assert (await http("POST", f"/experiments/{identity}/track/", who=me, token=True)).status == 405
    await fetch(identity, me)
    await database_sync_to_async(experiment_store.set_wanted)(identity, Wanted.REMOVED)
    assert (await http("GET", f"/experiments/{identity}/track/", who=me)).status == 404


async def test_a_long_journal_is_read_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    me, entries = await person(), repeating(7)
    identity, read, limits = await write(entries), journal_store.entries, []

    def limited(experiment: str, after: int = 0, until: int | None = None, limit: int | None = None) -> Sequence[Entry]:
        limits.append(limit)
        return read(experiment, after, until, limit)

    monkeypatch.setattr(journal_store, "entries", limited)
    monkeypatch.setattr(journal_store, "PAGE", 3)
    assert (await fetch(identity, me)).seqs == [1, 2, 3, 4, 5, 6, 7]
    assert set(limits) == {3}


@database_sync_to_async
def create_on_two_machines() -> tuple[str, dict[str, str]]:
    """The experiment, and its part on each machine."""
    machine_store.register("lab2", {}, MachineFacts())
    identity = parts.create(make_spec("host", "bridge", machines=["server", "lab2"]))
    record = load_record(identity)
    return identity, parts.ids_of(record.parts)


async def test_entries_of_all_machines_count_for_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_views, "MAX_ENTRIES", 3)
    identity, ids = await create_on_two_machines()
    entries = entries_of("server", ("host", "bridge"), SERVER)
    await write(entries, ids["server"])
    await write(entries_of("lab2", ("host", "bridge"), LAB2), ids["lab2"])
    newest = 1 + 2 * len(entries)
    assert (await fetch(identity, await person())).seqs == [newest - 2, newest - 1, newest]


async def test_the_recording_of_two_machines_grows_without_reading_their_journals_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    me = await person()
    identity, ids = await create_on_two_machines()
    facts = {"server": SERVER, "lab2": LAB2}
    entries = {name: entries_of(name, ("host", "bridge"), one) for name, one in facts.items()}
    await write(entries["server"], ids["server"])
    await write(entries["lab2"][:2], ids["lab2"])
    first = await fetch(identity, me)
    asked: list[dict[str, int]] = []
    read = parts.read_parts

    def read_parts(seen: dict[str, int]) -> Iterator[tuple[str, Entry]]:
        asked.append(seen)
        return read(seen)

    monkeypatch.setattr(parts, "read_parts", read_parts)
    await write(entries["lab2"][2:], ids["lab2"])
    reader = await fetch(identity, me)
    assert asked == [{ids["server"]: len(entries["server"]), ids["lab2"]: 2}]
    assert len(reader) == len(first) + len(entries["lab2"]) - 2
    assert len(await fetch(identity, me)) == len(reader)
