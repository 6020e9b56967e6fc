"""Rows that processes exchange: heartbeats, calls, presence; and wrong join codes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import EngineRef
from dashboard.core.operations.deployment import RETENTION_S, LabFacts
from dashboard.core.training.rate_limit import JOINS, PASSWORDS, PER_CLIENT
from dashboard.models import LabRequest, Presence
from dashboard.store import experiments as experiment_store
from dashboard.store.operations import rpc_queue
from dashboard.store.operations.rpc_queue import CallState
from dashboard.store.training import join_code_attempts
from tests.support.specs import make_spec

NOW = 1_000_000.0
pytestmark = pytest.mark.django_db(transaction=True)


def create_call(deadline: float = NOW + 60) -> int:
    return rpc_queue.create_call("a.b", "", "[]", NOW, deadline)


def test_the_newest_heartbeat_counts() -> None:
    assert rpc_queue.newest_heartbeat() is None
    facts = LabFacts(EngineRef("26.1.5", "1.45"), "")
    rpc_queue.record_heartbeat(3, facts, NOW)
    rpc_queue.record_heartbeat(4, facts, NOW + 2)
    newest = rpc_queue.newest_heartbeat()
    assert newest is not None
    assert (newest.number, newest.at, newest.facts) == (4, NOW + 2, facts)
    assert rpc_queue.newest_heartbeat("another machine") is None


def test_each_call_is_taken_by_one_lab() -> None:
    created = [create_call() for _ in range(10)]

    def take(_number: int) -> list[int]:
        try:
            return [call.id for call in rpc_queue.take_calls(NOW)]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        taken = [call for part in pool.map(take, range(4)) for call in part]
    assert sorted(taken) == created


def test_an_abandoned_call_gets_no_result_and_no_output() -> None:
    abandoned, awaited = create_call(), create_call()
    rpc_queue.take_calls(NOW)
    rpc_queue.abandon_call(abandoned)
    rpc_queue.finish_call(abandoned, rpc_queue.ANSWERED, "1")
    assert not rpc_queue.append_output(abandoned, "x")
    assert rpc_queue.append_output(awaited, "a")
    assert rpc_queue.append_output(awaited, "b")
    rpc_queue.finish_call(awaited, rpc_queue.ANSWERED, "2")
    assert rpc_queue.call_state(abandoned) == CallState(rpc_queue.LAPSED, "", "")
    assert rpc_queue.call_state(awaited) == CallState(rpc_queue.ANSWERED, "2", "ab")
    rpc_queue.delete_old(NOW + RETENTION_S + 1)
    assert not LabRequest.objects.exists()


def test_late_calls_are_not_taken_and_those_of_a_killed_lab_lapse() -> None:
    late, taken = create_call(NOW + 1), create_call()
    assert [call.id for call in rpc_queue.take_calls(NOW + 30)] == [taken]
    rpc_queue.abandon_taken_calls()
    assert LabRequest.objects.get(pk=taken).state == rpc_queue.LAPSED
    assert LabRequest.objects.get(pk=late).state == rpc_queue.WAITING


def test_the_wanted_state_differs_after_each_change() -> None:
    before = rpc_queue.wanted_state()
    identity = experiment_store.create_experiment(make_spec("none", "none"))
    launched = rpc_queue.wanted_state()
    assert experiment_store.set_wanted(identity, Wanted.STOPPED)
    assert len({str(state) for state in (before, launched, rpc_queue.wanted_state())}) == 3
    assert rpc_queue.wanted_state() == rpc_queue.wanted_state()


def test_presence_is_the_sum_of_all_other_processes() -> None:
    rpc_queue.record_presence("a", {"s": "1 2", "t": ""}, NOW)
    rpc_queue.record_presence("b", {"s": "3"}, NOW)
    rpc_queue.record_presence("b", {"s": "3 4"}, NOW + 1)
    assert rpc_queue.present_on_peers("a", ["s", "t"], NOW) == {"s": frozenset("34")}
    assert rpc_queue.present_on_peers("c", ["s"], NOW) == {"s": frozenset("1234")}
    assert rpc_queue.present_on_peers("c", ["s"], NOW + 1) == {"s": frozenset("34")}, "old rows do not count"
    rpc_queue.remove_presence("b")
    assert Presence.objects.count() == 2


def test_wrong_join_codes_are_counted_and_forgiven_with_time() -> None:
    for _ in range(int(PER_CLIENT.burst)):
        assert join_code_attempts.take_guess("192.0.2.1", NOW) == 0.0
    assert 0 < join_code_attempts.take_guess("192.0.2.1", NOW) <= 1 / PER_CLIENT.per_s
    assert join_code_attempts.take_guess("192.0.2.2", NOW) == 0.0
    assert join_code_attempts.take_guess("192.0.2.1", NOW + 1 / PER_CLIENT.per_s) == 0.0
    assert join_code_attempts.take_guess("192.0.2.1", NOW + 1 / PER_CLIENT.per_s) > 0.0
    join_code_attempts.return_guess("192.0.2.1", NOW + 1 / PER_CLIENT.per_s)
    assert join_code_attempts.take_guess("192.0.2.1", NOW + 1 / PER_CLIENT.per_s) == 0.0


def test_joins_at_the_same_time_cannot_all_pass_the_limit() -> None:
    def take(_number: int) -> float:
        try:
            return join_code_attempts.take_join("192.0.2.1", NOW)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        waits = list(threads.map(take, range(int(JOINS.burst) + 20)))
    assert waits.count(0.0) == JOINS.burst
    join_code_attempts.return_join("192.0.2.1", NOW)
    assert join_code_attempts.take_join("192.0.2.1", NOW) == 0.0


def test_a_password_counts_before_it_is_checked_and_a_correct_one_does_not() -> None:
    assert join_code_attempts.take_password("192.0.2.1", "ada", NOW) == 0.0
    join_code_attempts.return_password("192.0.2.1", "ada", NOW)
    for _ in range(int(PASSWORDS.burst)):
        assert join_code_attempts.take_password("192.0.2.1", "ada", NOW) == 0.0
    assert join_code_attempts.take_password("192.0.2.1", "eve", NOW) > 0.0
    assert join_code_attempts.take_password("192.0.2.2", "ada", NOW) == 0.0


def test_the_newest_entries_of_all_experiments_take_one_query(django_assert_num_queries: Any) -> None:
    identity = experiment_store.create_experiment(make_spec("none", "none"))
    with django_assert_num_queries(1):
        assert experiment_store.newest([identity, "gone"]) == {identity: (0, "nginx on port 80")}
