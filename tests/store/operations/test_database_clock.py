"""The clock of the database: all processes agree on it, whatever the clocks of their machines."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from django.db import DatabaseError

from dashboard.bench.operations.postgres_nats import Postgres
from dashboard.bench.processes import BASE
from dashboard.models import JoinToken, SignInLink, TrainingSession
from dashboard.store.operations import database_clock, join_tokens
from dashboard.store.operations.accounts import make_token, redeem
from dashboard.store.operations.database_clock import DatabaseClock, shared_clock
from tests.support.polling import eventually
from tests.web.asgi_client import person
from tests.web.training.session_clients import post

#: The modules that may read this machine's clock: the database clock itself; dates that NATS compares with its own
#: clock; browser sessions, which Django dates.
OWN_CLOCK = {
    "store/operations/database_clock.py",
    "web/operations/machines/nats_access.py",
    "store/operations/accounts.py",
    "web/http/session_connections.py",
}


def test_a_wrong_clock_of_the_machine_has_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = DatabaseClock(lambda: 5_000.0)
    right = time.time()
    monkeypatch.setattr(time, "time", lambda: right + 3600.0)
    clock.synchronize()
    assert 5_000.0 <= clock() < 5_060.0


def test_the_clock_advances_between_readings() -> None:
    clock = DatabaseClock(lambda: 5_000.0)
    clock.synchronize()
    first = clock()
    assert clock() > first


@pytest.mark.parametrize("read", [None, lambda: None])
def test_without_a_database_clock_the_clock_is_that_of_the_machine(read: object) -> None:
    clock = DatabaseClock() if read is None else DatabaseClock(read)  # type: ignore[arg-type]
    if read is not None:
        clock.synchronize()
    assert abs(clock() - time.time()) < 5.0


def test_the_clock_of_postgresql_is_read(postgres: Postgres) -> None:
    code = (
        "import django, time; django.setup()\n"
        "from dashboard.store.operations.database_clock import DatabaseClock\n"
        "clock, right = DatabaseClock(), time.time()\n"
        "time.time = lambda: right + 3600.0\n"
        "clock.synchronize(); print(clock() - right)"
    )
    variables = {"DATABASE_URL": postgres.url, "DJANGO_SETTINGS_MODULE": "dashboard.settings"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=BASE, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert -5.0 < float(done.stdout) < 60.0


def test_the_first_call_reads_the_clock() -> None:
    assert 5_000.0 <= DatabaseClock(lambda: 5_000.0)() < 5_060.0


async def test_a_call_in_an_event_loop_does_not_wait_for_the_database() -> None:
    clock = DatabaseClock(lambda: pytest.fail("a query in the loop"))
    assert abs(await asyncio.wait_for(_call(clock), 20) - time.time()) < 5.0


async def _call(clock: DatabaseClock) -> float:
    return clock()


def test_a_database_that_does_not_answer_leaves_the_clock_of_the_machine() -> None:
    def fail() -> float:
        raise DatabaseError("gone")

    assert abs(DatabaseClock(fail)() - time.time()) < 5.0


async def test_a_server_reads_the_clock_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the clock would be wrong after the machine was suspended, or the database failed over to a machine with
    another time."""
    times: list[float | DatabaseError] = [5_000.0, DatabaseError("failover"), 9_000.0]

    def read() -> float:
        found = times.pop(0) if len(times) > 1 else times[0]
        if isinstance(found, DatabaseError):
            raise found
        return found

    monkeypatch.setattr(database_clock, "is_shared", lambda: True)
    monkeypatch.setattr(database_clock, "READ_S", 0.01)
    clock = DatabaseClock(read)
    following = asyncio.create_task(clock.follow(asyncio.to_thread))
    await eventually(lambda: 9_000.0 <= clock() < 9_060.0)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_a_server_that_starts_before_its_database_reads_the_clock_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [DatabaseError("it starts")]

    def read() -> float:
        if failures:
            raise failures.pop()
        return 9_000.0

    monkeypatch.setattr(database_clock, "is_shared", lambda: True)
    monkeypatch.setattr(database_clock, "FIRST_READ_S", 0.01)
    clock = DatabaseClock(read)
    following = asyncio.create_task(clock.follow(asyncio.to_thread))
    await eventually(lambda: 9_000.0 <= clock() < 9_060.0)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


def test_an_answer_that_waited_for_a_connection_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monotonic = iter([100.0, 119.0, 119.0, 119.002, 120.0])
    answers = iter([5_019.0, 5_019.001])
    clock = DatabaseClock(lambda: next(answers))
    monkeypatch.setattr(database_clock, "time", SimpleNamespace(monotonic=lambda: next(monotonic)))
    clock.synchronize()
    assert clock() == pytest.approx(5_020.0)


@pytest.mark.parametrize(("known", "then"), [(5_020.0, 5_020.0), (5_039.9, 5_038.0), (4_990.0, 5_019.0)])
def test_an_answer_of_a_query_that_waited_again_corrects_only_a_time_that_cannot_be_right(
    monkeypatch: pytest.MonkeyPatch, known: float, then: float
) -> None:
    """The database read 5,019.0 at some moment of the 19 seconds before its answer arrived."""
    monotonic = iter([0.0, 19.0, 100.0, 119.0, 119.0])
    clock = DatabaseClock(lambda: 5_019.0)
    monkeypatch.setattr(database_clock, "time", SimpleNamespace(monotonic=lambda: next(monotonic)))
    monkeypatch.setattr(clock, "_offset", known - 119.0)
    clock.synchronize()
    assert clock() == pytest.approx(then)


async def test_a_server_reads_the_clock_soon_after_queries_that_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    queries = 0

    def read() -> float:
        nonlocal queries
        queries += 1
        return 9_000.0

    monkeypatch.setattr(database_clock, "is_shared", lambda: True)
    monkeypatch.setattr(database_clock, "FIRST_READ_S", 0.01)
    monkeypatch.setattr(database_clock, "MAX_QUERY_S", -1.0)
    following = asyncio.create_task(DatabaseClock(read).follow(asyncio.to_thread))
    await eventually(lambda: queries >= 6)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_with_a_database_file_no_clock_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_clock, "is_shared", lambda: False)
    await asyncio.wait_for(DatabaseClock(lambda: pytest.fail("read")).follow(_refuse), 20)


async def _refuse(_function: object) -> None:
    pytest.fail("a query")


@pytest.mark.django_db(transaction=True)
async def test_a_session_of_a_web_process_ends_by_the_clock_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_clock, "_offset", time.time() + 7200.0 - time.monotonic())
    options = {"title": "A", "workshop": "host-network", "max_participants": "2", "hours": "1"}
    answer = await post("/sessions/new/", await person(), **options)
    assert answer.status == 302, answer.text
    row = await TrainingSession.objects.aget()
    assert abs(row.expires_at - time.time() - 3 * 3600.0) < 60.0


@pytest.mark.django_db
def test_links_and_tokens_are_valid_by_the_clock_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    right = time.time()
    monkeypatch.setattr(shared_clock, "_offset", right - time.monotonic())
    link, token = make_token(), join_tokens.create(None)
    monkeypatch.setattr(time, "time", lambda: right + 30 * 86400.0)  # the clock of another process' machine
    join_tokens.check(token)
    assert redeem(link) is not None
    assert abs(SignInLink.objects.get().created_at - right) < 60.0
    assert abs(JoinToken.objects.get().created_at - right) < 60.0


def test_web_processes_and_queries_read_no_other_clock() -> None:
    folder = BASE / "dashboard"
    files = [file for part in ("models", "store", "web") for file in (folder / part).rglob("*.py")]
    clock = re.compile(r"\btime\.time(_ns)?\b|\btimezone\.now\b|\bdatetime\.(utc)?now\b")
    assert {str(file.relative_to(folder)) for file in files if clock.search(file.read_text())} == OWN_CLOCK
