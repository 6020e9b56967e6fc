"""Journals of experiments in the database."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError

from dashboard.core.experiments.journal import entry_size
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store import recent_entries
from tests.core.sample import make_columns, make_head, make_states
from tests.support.records import load_record, make_entry
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db(transaction=True)


def test_entries_are_read_as_they_were_written(identity: str) -> None:
    written = (
        make_entry(1, "one", head=make_head(), columns=make_columns(), states=make_states()),
        make_entry(2, "zwei \u2260 \U0001f433 \x1b[31m"),
        make_entry(3, "", forgotten=("host",), removed=("bridge",)),
    )
    journal_store.append(identity, written)
    assert journal_store.entries(identity) == written
    assert journal_store.entries(identity, 1) == written[1:]
    assert journal_store.entries(identity, 0, 2) == written[:2]
    assert journal_store.newest([identity])[identity][0] == 3
    assert journal_store.view(identity, 2).seq == 2
    assert "bridge" not in journal_store.view(identity).states


def test_an_entry_number_is_unique_and_a_batch_is_atomic(identity: str) -> None:
    journal_store.append(identity, [make_entry(1)])
    with pytest.raises(IntegrityError):
        journal_store.append(identity, [make_entry(2), make_entry(1)])
    assert journal_store.newest([identity])[identity][0] == 1
    assert [one.seq for one in recent_entries.recent(identity, 0) or ()] == [1]


def test_replaced_entries_are_deleted_and_the_size_of_the_journal_is_known(identity: str) -> None:
    journal_store.append(identity, [make_entry(1, "one"), make_entry(2, "two")])
    journal_store.append(identity, [make_entry(5, "five")], [2])
    assert [one.seq for one in journal_store.entries(identity)] == [1, 5]
    record = load_record(identity)
    assert record.journal_entries == 2
    assert record.journal_bytes == sum(map(entry_size, journal_store.entries(identity)))


def test_a_long_journal_is_read_in_pages(identity: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_store, "PAGE", 3)
    journal_store.append(identity, [make_entry(number) for number in range(1, 9)])
    assert [one.seq for one in journal_store.read(identity)] == list(range(1, 9))
    assert [one.seq for one in journal_store.read(identity, after=2, until=6)] == [3, 4, 5, 6]
    assert [one.seq for one in journal_store.entries(identity, after=2, limit=2)] == [3, 4]


def test_the_newest_entries_of_all_experiments_take_one_query(django_assert_num_queries: Any) -> None:
    identity = experiment_store.create_experiment(make_spec("none", "none"))
    with django_assert_num_queries(1):
        assert journal_store.newest([identity, "gone"]) == {identity: (0, "nginx on port 80")}
