"""Roles of machines in a real PostgreSQL; tests/team/test_machines.py tries what a machine may do with its role."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dj_database_url
import psycopg
import pytest
from django.core.management import call_command
from django.db import connections
from django.db.utils import ConnectionHandler
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from dashboard.backup.backups import make_backup, restore_backup
from dashboard.bench.operations.postgres_nats import Postgres, postgres_server, temporary_folder
from dashboard.core.operations.machines import MachineFacts
from dashboard.management.commanding import NetmodesCommand
from dashboard.models import Experiment, MeasurementRun
from dashboard.store import experiments as experiment_store
from dashboard.store import machines
from dashboard.store.operations import join_tokens, joining, machine_roles
from tests.support.polling import until
from tests.support.specs import make_spec

pytestmark = pytest.mark.engine
ALIAS = "default"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with temporary_folder() as folder, postgres_server(folder) as running:
        yield running


@contextmanager
def using(url: str) -> Iterator[None]:
    """This thread's default database."""
    before = connections[ALIAS]
    connections[ALIAS] = ConnectionHandler({ALIAS: dict(dj_database_url.parse(url))})[ALIAS]
    try:
        yield
    finally:
        connections[ALIAS].close()
        connections[ALIAS] = before


@pytest.fixture(scope="module")
def template(postgres: Postgres, django_db_blocker: DjangoDbBlocker) -> str:
    """The URL of a migrated database that is only copied."""
    url = postgres.create_database("template")
    with django_db_blocker.unblock(), using(url):
        call_command("migrate", verbosity=0, interactive=False)
    return url


@pytest.fixture
def team(postgres: Postgres, template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The URL of a database that this test uses."""
    name = f"netmodes{secrets.token_hex(4)}"
    with psycopg.connect(postgres.url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE template")
    url = template.replace("/template", f"/{name}")
    addresses = {"DATABASE_URL": url, "NATS_URL": "nats://web:y@nats.example:4222"}
    with (
        django_db_blocker.unblock(),
        using(url),
        override_settings(**addresses, MACHINES_DATABASE="", MACHINES_NATS=""),
    ):
        yield url


def join(name: str = "lab2") -> str:
    """The URL of the database for a machine that has joined."""
    return joining.join(join_tokens.create(None), name, {}, MachineFacts(), "10.0.0.7").database


def own_experiment(machine: str | None) -> str:
    experiment = experiment_store.create_experiment(make_spec("host"))
    Experiment.objects.filter(pk=experiment).update(machine=machine, phase="stopped")
    return experiment


def test_a_machine_that_owns_objects_is_revoked_and_joins_again(team: str) -> None:
    url = join()
    with psycopg.connect(url, autocommit=True) as machine:
        machine.execute("SELECT lo_create(0)")
        machine.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC")
        assert joining.revoke("lab2")
        with pytest.raises(psycopg.OperationalError):
            machine.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    again = join()
    with psycopg.connect(again) as machine:
        assert machine.execute("SELECT name FROM dashboard_machine").fetchall() == [("lab2",)]
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url)


def test_no_statement_contains_the_password(team: str) -> None:
    statements: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append(f"{sql} {params}")
        return execute(sql, params, many, context)

    with connections[ALIAS].execute_wrapper(note):
        url = join()
    password = re.findall(r"://[^:]+:([^@]+)@", url)[0]
    assert len(password) == 43
    assert not any(password in statement for statement in statements)
    psycopg.connect(url).close()


def test_machines_join_at_the_same_time(team: str, django_db_blocker: DjangoDbBlocker) -> None:
    names = ["lab2", "lab2", "lab3", "lab4"]
    tokens, start = [join_tokens.create(None) for _ in names], threading.Barrier(len(names))

    def joins(name: str, token: str) -> str:
        with using(team):
            start.wait(10)
            try:
                return joining.join(token, name, {}, MachineFacts(), "10.0.0.7").database
            except joining.JoinError as error:
                return str(error)

    with ThreadPoolExecutor(len(names)) as pool:
        results = list(pool.map(joins, names, tokens))
    joined = [result for result in results if result.startswith("postgres://")]
    assert len(joined) == 3, results
    assert sum("has joined already" in result for result in results) == 1, results
    assert len(join_tokens.listed()) == 1, "the token of the refused machine remains valid"
    for url in joined:
        psycopg.connect(url).close()


def test_a_join_waits_for_no_table_while_it_holds_another(team: str) -> None:
    # As ``store.experiments.append`` does, a lab locks the journal and then its experiment.
    experiment = own_experiment(None)
    locked, results = threading.Event(), []

    def first_join() -> None:
        with using(team):
            locked.wait(10)
            results.append(join())

    thread = threading.Thread(target=first_join)
    thread.start()
    with psycopg.connect(team) as lab:
        lab.execute("LOCK TABLE dashboard_journalentry IN ROW EXCLUSIVE MODE")
        locked.set()
        attempts = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LOCK%'"
        with psycopg.connect(team, autocommit=True) as watch:
            until(lambda: watch.execute(attempts).fetchone()[0] or not thread.is_alive(), 10)  # type: ignore[index]
        lab.execute("SET LOCAL lock_timeout = '2s'")
        lab.execute("UPDATE dashboard_experiment SET title = 'x' WHERE id = %s", [experiment])
    thread.join(20)
    assert len(results) == 1


def test_a_second_join_locks_no_table(team: str) -> None:
    join()
    with psycopg.connect(team) as backup:  # as pg_dump does for its whole run
        backup.execute("LOCK TABLE dashboard_experiment, dashboard_machine IN ACCESS SHARE MODE")
        psycopg.connect(join("lab3")).close()


def test_permissions_that_differ_are_written_again(team: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(join(), autocommit=True) as machine:
        machine_roles._execute("REVOKE SELECT ON django_migrations FROM " + machine_roles._group())  # noqa: S608
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            machine.execute("SELECT 1 FROM django_migrations")
        machine_roles.update()
        machine.execute("SELECT 1 FROM django_migrations")
        monkeypatch.setitem(machine_roles._GRANTS, "auditentry", "SELECT")
        machine_roles.update()
        machine.execute("SELECT 1 FROM dashboard_auditentry")


def test_a_measurement_of_a_machine_names_no_experiment_of_another(team: str) -> None:
    url = join()
    other, own = own_experiment(None), own_experiment("lab2")
    run = MeasurementRun.objects.create(machine_id="lab2", experiment_id=own, title="a run", seed=7)
    with psycopg.connect(url, autocommit=True) as machine:
        for column in ("experiment_id", "source_id"):
            change = f"UPDATE dashboard_measurementrun SET {column} = %s WHERE id = %s"  # noqa: S608
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level"):
                machine.execute(change, [other, run.pk])
            assert machine.execute(change, [own, run.pk]).rowcount == 1
            assert machine.execute(change, [None, run.pk]).rowcount == 1


@pytest.mark.parametrize("is_new_server", [False, True])
def test_a_backup_with_machines_is_restored(
    team: str, postgres: Postgres, tmp_path: Path, *, is_new_server: bool
) -> None:
    url, file, command = join(), tmp_path / "one.backup", NetmodesCommand()
    make_backup(file, tmp_path)
    if is_new_server:  # roles belong to the server
        machine_roles._execute(f"ALTER ROLE {machine_roles._group()} RENAME TO elsewhere{secrets.token_hex(4)}")
    restored = postgres.create_database(f"restored{secrets.token_hex(4)}")
    with using(restored):
        restore_backup(file, tmp_path, command.migrate)
        assert [record.name for record in machines.list_machines()] == ["lab2"]
        own_experiment("lab2")
        own_experiment(None)
        if is_new_server:
            assert joining.revoke("lab2")
            with override_settings(DATABASE_URL=restored):
                url = join()
    with psycopg.connect(url.replace(team.rpartition("/")[2], restored.rpartition("/")[2])) as machine:
        assert machine.execute("SELECT machine_id FROM dashboard_experiment").fetchall() == [("lab2",)]
