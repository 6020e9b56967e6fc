"""The clock of the database: labs agree on it, whatever the clocks of their machines."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from dashboard.bench.operations.postgres_nats import Postgres, postgres_server, temporary_folder
from dashboard.bench.processes import BASE
from dashboard.store.operations.database_clock import DatabaseClock


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with temporary_folder() as folder, postgres_server(folder) as running:
        yield running


def test_a_wrong_clock_of_the_machine_has_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = DatabaseClock(lambda: 5_000.0)
    right = time.time()
    monkeypatch.setattr(time, "time", lambda: right + 3600.0)
    clock.synchronize()
    assert 5_000.0 <= clock() < 5_060.0


def test_it_advances_between_readings() -> None:
    clock = DatabaseClock(lambda: 5_000.0)
    clock.synchronize()
    first = clock()
    assert clock() > first


@pytest.mark.parametrize("read", [None, lambda: None])
def test_without_a_database_with_a_clock_it_is_that_of_the_machine(read: object) -> None:
    clock = DatabaseClock() if read is None else DatabaseClock(read)  # type: ignore[arg-type]
    if read is not None:
        clock.synchronize()
    assert abs(clock() - time.time()) < 5.0


def test_it_reads_postgresql(postgres: Postgres) -> None:
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
