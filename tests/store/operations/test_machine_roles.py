"""Roles of machines in a real PostgreSQL; tests/team/test_machine_access.py tries what a machine may do with one."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
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
from dashboard.bench.operations.postgres_nats import Postgres
from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import Phase
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.operations.machines import MachineFacts
from dashboard.management.commanding import NetmodesCommand
from dashboard.models import Experiment, MeasurementRun
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store import machines, parts
from dashboard.store.measurements import clients as measurement_clients
from dashboard.store.operations import join_tokens, joining, machine_roles
from dashboard.store.operations.retention import delete_experiments
from tests.core.machine_scenes import make_head
from tests.support.polling import until
from tests.support.records import load_record
from tests.support.specs import make_spec

pytestmark = pytest.mark.engine
ALIAS = "default"


@contextmanager
def using(url: str) -> Iterator[None]:
    """Makes this URL the default database of the thread during the block."""
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
    assert sum("has already joined" in result for result in results) == 1, results
    assert len(join_tokens.listed()) == 1, "the token of the refused machine remains valid"
    for url in joined:
        psycopg.connect(url).close()


def test_a_join_waits_for_no_table_while_it_holds_another(team: str) -> None:
    # As ``store.journal.append`` does, a lab locks the journal and then its experiment.
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
        lab.execute("SET LOCAL lock_timeout = '10s'")
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


def divided() -> tuple[str, dict[str, str]]:
    """An experiment on the server's machine and on lab2, and its parts."""
    whole = parts.create(make_spec("host", machines=["server", ""]), machine="lab2")
    record = load_record(whole)
    return whole, parts.ids_of(record.parts)


def test_a_machine_cannot_change_which_experiments_belong_together(team: str) -> None:
    url = join()
    whole, ids = divided()
    with psycopg.connect(url, autocommit=True) as machine:
        assert machine.execute("SELECT id FROM dashboard_experiment").fetchall() == [(ids["lab2"],)]
        for column in ("parts", "parent_id", "owner_id", "id"):
            change = f"UPDATE dashboard_experiment SET {column} = NULL WHERE id = %s"  # noqa: S608
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
                machine.execute(change, [ids["lab2"]])
        assert machine.execute("UPDATE dashboard_experiment SET title = 'x', machine_id = 'lab2'").rowcount == 1
        new = (
            "INSERT INTO dashboard_experiment (id, title, spec, head, wanted, round, phase, driver, machine_id, host, "
            '"group", created_at, shown_seq, journal_entries, journal_bytes, parent_id, parts) '
            "VALUES (%s, '', '{}', '', 'running', 1, 'running', '', 'lab2', '', '', now(), 0, 0, 0, %s, %s)"
        )
        for parent, own_parts in ((whole, ""), (ids["lab2"], ""), (None, "{}")):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level"):
                machine.execute(new, ["another", parent, own_parts])
        assert machine.execute(new, ["another", None, ""]).rowcount == 1


def test_a_lab_writes_its_part_with_its_own_role(team: str) -> None:
    url = join()
    whole, ids = divided()
    part = ids["lab2"]
    with using(url), override_settings(MACHINE="lab2"):
        journal_store.append(part, [Entry(1, 1.0, Cause(Source.LAB), Facts(), "text")])
        experiment_store.save_head(part, make_head(), 1)
        assert experiment_store.set_wanted(part, Wanted.STOPPED)
        assert experiment_store.rename(part, "Another") == "Another"
        experiment_store.remember_container(part, "host", "c0ffee")
        experiment_store.release(part)
        own = experiment_store.create_experiment(make_spec("none"))
        experiment_store.delete(own)
        experiment_store.delete(part)
    assert set(Experiment.objects.values_list("pk", flat=True)) == {whole, ids["server"]}


def test_more_permissions_of_an_earlier_version_are_taken_back(team: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(join(), autocommit=True) as machine:
        machine_roles._execute("GRANT ALL ON dashboard_experiment TO " + machine_roles._group())
        machine.execute("UPDATE dashboard_experiment SET parts = ''")
        monkeypatch.setitem(machine_roles._GRANTS, "auditentry", "SELECT")  # another version
        machine_roles.update()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            machine.execute("UPDATE dashboard_experiment SET parts = ''")


def test_an_earlier_version_keeps_the_parts_as_experiments(team: str) -> None:
    join()
    whole, ids = divided()
    call_command("migrate", "dashboard", "0022", verbosity=0, interactive=False)
    with psycopg.connect(team) as database:
        rows = database.execute("SELECT id, machine_id FROM dashboard_experiment").fetchall()
    assert set(rows) == {(ids["server"], None), (ids["lab2"], "lab2")}
    call_command("migrate", "dashboard", verbosity=0, interactive=False)
    assert experiment_store.load(whole) is None
    machine_roles.update()
    with psycopg.connect(team) as database:
        policies = database.execute("SELECT tablename FROM pg_policies WHERE policyname = 'netmodes_new_row'")
        assert policies.fetchall() == [("dashboard_experiment",)]


def test_a_part_that_is_launched_again_while_old_data_is_deleted_remains(team: str) -> None:
    join()
    whole, ids = divided()
    Experiment.objects.update(created_at=datetime(2020, 1, 1, tzinfo=UTC), wanted=Wanted.STOPPED, phase=Phase.STOPPED)
    deleted: list[int] = []

    def delete() -> None:
        with using(team):
            deleted.append(delete_experiments(datetime(2030, 1, 1, tzinfo=UTC), dry_run=False).comparisons)

    thread = threading.Thread(target=delete)
    with psycopg.connect(team) as web, psycopg.connect(team, autocommit=True) as watch:
        web.execute(
            "UPDATE dashboard_experiment SET wanted = 'running', phase = 'waiting' WHERE id = %s", [ids["lab2"]]
        )
        thread.start()
        of_lock = "datname = current_database() AND wait_event_type = 'Lock'"
        waiting = f"SELECT count(*) FROM pg_stat_activity WHERE {of_lock}"  # noqa: S608
        until(lambda: watch.execute(waiting).fetchone()[0], 10)  # type: ignore[index]
        web.commit()
    thread.join(20)
    assert deleted == [0]
    assert Experiment.objects.filter(pk__in=(whole, *ids.values())).count() == 3


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


def test_a_machine_cannot_write_which_machines_measure_for_its_run(team: str) -> None:
    url = join()
    run = measurement_clients.create_run(("server",), own_experiment("lab2"), "a run", [Probe.HTTP], Options(), 7)
    with psycopg.connect(url, autocommit=True) as machine:
        assert machine.execute("UPDATE dashboard_measurementrun SET state = 'running'").rowcount == 1
        for change in (
            "UPDATE dashboard_measurementclient SET valid_until = now() + interval '1 year'",
            "UPDATE dashboard_measurementclient SET seconds = 1e9",
            "UPDATE dashboard_measurementclient SET machine = 'lab3'",
            "INSERT INTO dashboard_measurementclient (run_id, machine) SELECT id, 'lab3' FROM dashboard_measurementrun",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                machine.execute(change)
        assert machine.execute("SELECT machine FROM dashboard_measurementclient").fetchall() == [("server",)]
    measurement_clients.begin_blocks(run, 60.0)
    assert measurement_clients.load_drained(run) == frozenset()
    (carried,) = measurement_clients.load_carried()
    assert (carried.id, carried.machine, carried.clients) == (run, "lab2", ("server",))


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
