"""dashboard.store.operations.rpc_queue and guesses: rows that processes leave for each other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import EngineRef
from dashboard.core.operations.deployment import KEPT_S, LabFacts
from dashboard.core.training.rate_limit import PER_CLIENT
from dashboard.models import LabRequest, Presence
from dashboard.store import experiments as experiment_store
from dashboard.store.operations import rpc_queue
from dashboard.store.training import join_code_attempts
from tests.specs import make_spec

NOW = 1_000_000.0
pytestmark = pytest.mark.django_db(transaction=True)


def test_the_newest_beat_counts() -> None:
    assert rpc_queue.newest_heartbeat() is None
    facts = LabFacts(EngineRef("26.1.5", "1.45"), "")
    rpc_queue.beat(3, facts, NOW)
    rpc_queue.beat(4, facts, NOW + 2)
    found = rpc_queue.newest_heartbeat()
    assert found is not None
    assert (found.number, found.at, found.facts) == (4, NOW + 2, facts)
    assert rpc_queue.newest_heartbeat("another machine") is None


def test_a_question_is_given_to_one_asker_alone() -> None:
    asked = [rpc_queue.ask("a.b", "", "[]", NOW, NOW + 60) for _ in range(10)]

    def take(_number: int) -> list[int]:
        try:
            return [one.id for one in rpc_queue.take(NOW)]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        taken = [one for part in pool.map(take, range(4)) for one in part]
    assert sorted(taken) == asked


def test_an_answer_that_nobody_waits_for_stays_unwritten() -> None:
    one, two = (rpc_queue.ask("a.b", "", "[]", NOW, NOW + 60) for _ in range(2))
    rpc_queue.take(NOW)
    rpc_queue.give_up(one)
    rpc_queue.answer(one, rpc_queue.ANSWERED, "1")
    assert not rpc_queue.print_to(one, "x")
    assert rpc_queue.print_to(two, "a")
    assert rpc_queue.print_to(two, "b")
    rpc_queue.answer(two, rpc_queue.ANSWERED, "2")
    assert rpc_queue.reply(one) == rpc_queue.Reply(rpc_queue.LAPSED, "", "")
    assert rpc_queue.reply(two) == rpc_queue.Reply(rpc_queue.ANSWERED, "2", "ab")
    rpc_queue.forget_old(NOW + KEPT_S + 1)
    assert not LabRequest.objects.exists()


def test_questions_past_their_time_and_of_a_lab_that_died_lapse() -> None:
    late, taken = rpc_queue.ask("a.b", "", "[]", NOW, NOW + 1), rpc_queue.ask("a.b", "", "[]", NOW, NOW + 60)
    assert [one.id for one in rpc_queue.take(NOW + 30)] == [taken]
    rpc_queue.let_lapse()
    assert LabRequest.objects.get(pk=taken).state == rpc_queue.LAPSED
    assert LabRequest.objects.get(pk=late).state == rpc_queue.WAITING


def test_a_glance_tells_that_something_is_wanted() -> None:
    before = rpc_queue.wants()
    identity = experiment_store.create_experiment(make_spec("none", "none"))
    launched = rpc_queue.wants()
    assert experiment_store.set_wanted(identity, Wanted.STOPPED)
    assert len({str(one) for one in (before, launched, rpc_queue.wants())}) == 3
    assert rpc_queue.wants() == rpc_queue.wants()


def test_who_is_there_is_the_sum_of_all_processes_but_ones_own() -> None:
    rpc_queue.note_presence("a", {"s": "1 2", "t": ""}, NOW)
    rpc_queue.note_presence("b", {"s": "3"}, NOW)
    rpc_queue.note_presence("b", {"s": "3 4"}, NOW + 1)
    assert rpc_queue.present_elsewhere("a", ["s", "t"], NOW) == {"s": frozenset("34")}
    assert rpc_queue.present_elsewhere("c", ["s"], NOW) == {"s": frozenset("1234")}
    assert rpc_queue.present_elsewhere("c", ["s"], NOW + 1) == {"s": frozenset("34")}, "old rows say nothing"
    rpc_queue.leave("b")
    assert Presence.objects.count() == 2


def test_wrong_guesses_are_counted_and_come_back_with_time() -> None:
    for _ in range(int(PER_CLIENT.burst)):
        assert join_code_attempts.wait_s("192.0.2.1", NOW) == 0.0
        join_code_attempts.record_failure("192.0.2.1", NOW)
    assert 0 < join_code_attempts.wait_s("192.0.2.1", NOW) <= 1 / PER_CLIENT.per_s
    assert join_code_attempts.wait_s("192.0.2.2", NOW) == 0.0
    assert join_code_attempts.wait_s("192.0.2.1", NOW + 1 / PER_CLIENT.per_s) == 0.0


def test_the_newest_entries_of_all_in_one_look(django_assert_num_queries: Any) -> None:
    one = experiment_store.create_experiment(make_spec("none", "none"))
    with django_assert_num_queries(1):
        assert experiment_store.newest([one, "gone"]) == {one: 0}
