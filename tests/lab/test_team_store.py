"""dashboard.lab.team_store and guesses: rows that processes leave for each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from dashboard.core.lifecycle import Wanted
from dashboard.core.messages import EngineRef
from dashboard.core.team import KEPT_S, LabFacts
from dashboard.core.throttle import PER_ADDRESS
from dashboard.lab import guesses, store, team_store
from dashboard.models import LabRequest, Presence
from tests.specs import make_spec

NOW = 1_000_000.0
pytestmark = pytest.mark.django_db(transaction=True)


def test_the_newest_beat_counts() -> None:
    assert team_store.newest_beat() is None
    facts = LabFacts(EngineRef("26.1.5", "1.45"), "")
    team_store.beat(3, facts, NOW)
    team_store.beat(4, facts, NOW + 2)
    found = team_store.newest_beat()
    assert found is not None
    assert (found.number, found.at, found.facts) == (4, NOW + 2, facts)
    assert team_store.newest_beat("another machine") is None


def test_a_question_is_given_to_one_asker_alone() -> None:
    asked = [team_store.ask("a.b", "", "[]", NOW, NOW + 60) for _ in range(10)]

    def take(_number: int) -> list[int]:
        try:
            return [one.id for one in team_store.take(NOW)]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        taken = [one for part in pool.map(take, range(4)) for one in part]
    assert sorted(taken) == asked


def test_an_answer_that_nobody_waits_for_stays_unwritten() -> None:
    one, two = (team_store.ask("a.b", "", "[]", NOW, NOW + 60) for _ in range(2))
    team_store.take(NOW)
    team_store.give_up(one)
    team_store.answer(one, team_store.ANSWERED, "1")
    assert not team_store.print_to(one, "x")
    assert team_store.print_to(two, "a")
    assert team_store.print_to(two, "b")
    team_store.answer(two, team_store.ANSWERED, "2")
    assert team_store.reply(one) == team_store.Reply(team_store.LAPSED, "", "")
    assert team_store.reply(two) == team_store.Reply(team_store.ANSWERED, "2", "ab")
    team_store.forget_old(NOW + KEPT_S + 1)
    assert not LabRequest.objects.exists()


def test_questions_past_their_time_and_of_a_lab_that_died_lapse() -> None:
    late, taken = team_store.ask("a.b", "", "[]", NOW, NOW + 1), team_store.ask("a.b", "", "[]", NOW, NOW + 60)
    assert [one.id for one in team_store.take(NOW + 30)] == [taken]
    team_store.let_lapse()
    assert LabRequest.objects.get(pk=taken).state == team_store.LAPSED
    assert LabRequest.objects.get(pk=late).state == team_store.WAITING


def test_a_glance_tells_that_something_is_wanted() -> None:
    before = team_store.wants()
    identity = store.create_experiment(make_spec("none", "none"))
    launched = team_store.wants()
    assert store.set_wanted(identity, Wanted.STOPPED)
    assert len({str(one) for one in (before, launched, team_store.wants())}) == 3
    assert team_store.wants() == team_store.wants()


def test_who_is_there_is_the_sum_of_all_processes_but_ones_own() -> None:
    team_store.note_presence("a", {"s": "1 2", "t": ""}, NOW)
    team_store.note_presence("b", {"s": "3"}, NOW)
    team_store.note_presence("b", {"s": "3 4"}, NOW + 1)
    assert team_store.present_elsewhere("a", ["s", "t"], NOW) == {"s": frozenset("34")}
    assert team_store.present_elsewhere("c", ["s"], NOW) == {"s": frozenset("1234")}
    assert team_store.present_elsewhere("c", ["s"], NOW + 1) == {"s": frozenset("34")}, "old rows say nothing"
    team_store.leave("b")
    assert Presence.objects.count() == 2


def test_wrong_guesses_are_counted_and_come_back_with_time() -> None:
    for _ in range(PER_ADDRESS.burst):
        assert guesses.wait_s("192.0.2.1", NOW) == 0.0
        guesses.wrong("192.0.2.1", NOW)
    assert 0 < guesses.wait_s("192.0.2.1", NOW) <= PER_ADDRESS.every_s
    assert guesses.wait_s("192.0.2.2", NOW) == 0.0
    assert guesses.wait_s("192.0.2.1", NOW + PER_ADDRESS.every_s) == 0.0


def test_the_newest_entries_of_all_in_one_look(django_assert_num_queries: Any) -> None:
    one = store.create_experiment(make_spec("none", "none"))
    with django_assert_num_queries(1):
        assert store.newest([one, "gone"]) == {one: 0}
