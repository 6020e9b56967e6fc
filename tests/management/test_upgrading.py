"""Databases and backups of earlier versions are migrated; their pages and exports open."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from dashboard.management import commanding
from dashboard.management.commanding import NetmodesCommand
from dashboard.management.serving import announced
from dashboard.store.operations.applied_migrations import applied_migrations
from tests.support.terminal import Site, Terminal

RECORDED = Path(__file__).resolve().parent.parent / "recorded"
type Counts = dict[str, int]
EXPERIMENT, FAILED, RUN = "exp2345678", "fad2345678", "run2345678"


def one(database: Path, query: str) -> str:
    with closing(sqlite3.connect(database)) as connection:
        return str(connection.execute(query).fetchone()[0])


def counts(database: Path) -> Counts:
    """The number of rows in every table of Netmodes that is not empty."""
    with closing(sqlite3.connect(database)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'dashboard_%'")
        found = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for (name,) in tables}  # noqa: S608
    return {name: count for name, count in found.items() if count}


def place(terminal: Terminal, recorded: str) -> Path:
    """Puts a recorded database into the data folder; returns its path."""
    database = terminal.folder / "netmodes.db"
    for file in terminal.folder.glob("netmodes.db*"):
        file.unlink()
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript((RECORDED / recorded).read_text())
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    return database


@pytest.fixture
def earlier(nowhere: Terminal) -> Terminal:
    """A data folder of the earlier version."""
    place(nowhere, "database-0009.sql")
    return nowhere


@dataclass(frozen=True, slots=True)
class Recorded:
    """Values of the recorded database, read from the tables that it had then."""

    report: str
    claims: str
    session: str
    series: str
    ada: str


def read(database: Path) -> Recorded:
    """Reads the values before the migration, which renames tables and fields."""
    return Recorded(
        report=one(database, "SELECT id FROM dashboard_report"),
        claims=one(database, "SELECT id FROM dashboard_claimrun"),
        session=one(database, "SELECT id FROM dashboard_trainingsession"),
        series=one(database, "SELECT signature FROM dashboard_measurementseries"),
        ada=one(database, "SELECT id FROM dashboard_seat WHERE name = 'Ada'"),
    )


def lost(before: Counts, after: Counts) -> Counts:
    """The tables with a changed number of rows, or without a new table of the same size."""
    new = Counter(count for name, count in after.items() if name not in before)
    found = {name: count for name, count in before.items() if after.get(name, count) != count}
    for name, count in before.items():
        if name not in after:
            new[count] -= 1
            if new[count] < 0:
                found[name] = count
    return found


def open_pages(site: Site, then: Recorded) -> None:
    """Opens the pages that show these rows."""
    report, claims, session = then.report, then.claims, then.session
    for path, said in {
        "/": "Host or bridge",
        f"/experiments/{EXPERIMENT}/": "Host or bridge",
        f"/experiments/{EXPERIMENT}/?at=2": "All arms run",
        f"/experiments/{EXPERIMENT}/track/": "",
        f"/experiments/{FAILED}/": "Nothing runs",
        "/measurements/": "host bridge",
        f"/measurements/{RUN}/": "host bridge",
        f"/measurements/history/?signature={quote(then.series)}": "host bridge",
        "/reports/": "Host or bridge",
        f"/reports/{report}/": "A <strong>remark</strong>",
        f"/reports/{report}/export.html": "Host or bridge",
        f"/reports/{report}/export.csv": "",
        f"/reports/{report}/export.md": "Host or bridge",
        "/claims/": "",
        f"/claims/runs/{claims}/": "because",
        "/workshop/": "",
        "/workshop/host-network/": "",
        "/sessions/": "Monday",
        f"/sessions/{session}/console/": "Ada",
        f"/sessions/{session}/console/seats/{then.ada}/": "Why?",
        f"/api/experiments/{EXPERIMENT}/journal": "All arms run",
        f"/api/measurements/{RUN}": "measurement/1",
        f"/api/measurements/{RUN}/distribution": "",
        f"/api/reports/{report}": "report/1",
    }.items():
        answer = site.ask("GET", path)
        assert answer.status == 200, f"{path}: {answer.status} {answer.body[:300]}"
        assert said in answer.body, path
    exported = site.ask("GET", f"/reports/{report}/export.json")
    assert exported.json["schema"] == "report/1"


@pytest.mark.slow
def test_a_database_and_its_backup_are_migrated_without_losing_a_row(earlier: Terminal, tmp_path: Path) -> None:
    database, file = earlier.folder / "netmodes.db", tmp_path / "earlier.backup"
    before, then = counts(database), read(database)
    assert len(before) > 20
    assert earlier.run("backup", str(file)).code == 0
    site = earlier.serve().sign_in()
    open_pages(site, then)
    # A start deletes expired links and uses one; heartbeats and presence are transient.
    ignored = {
        "dashboard_signinlink",
        "dashboard_labbeat",
        "dashboard_labheartbeat",
        "dashboard_presence",
        "dashboard_labrequest",
    }
    kept = {name: count for name, count in before.items() if name not in ignored}
    assert lost(kept, counts(database)) == {}
    assert site.running.interrupt().code == 0
    new = tmp_path / "new"
    there = Terminal({**earlier.environment, "NETMODES_DATA_DIR": str(new)}, new)
    done = there.run("restore", str(file), "--json")
    assert (done.code, done.err) == (0, "")
    assert (done.json["migrated"], done.json["aside"]) == (True, "")
    assert lost(kept, counts(new / "netmodes.db")) == {}
    with closing(sqlite3.connect(new / "netmodes.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM dashboard_signinlink").fetchone() == (0,)
    assert there.run("migrate", "--check").code == 0, "no migration is left"


def test_migrating_from_0013_loses_no_row_of_any_table(nowhere: Terminal) -> None:
    database = place(nowhere, "database-0013.sql")
    before = counts(database)
    assert len(before) == 28, "the recorded database has rows in each of its tables"
    done = nowhere.run("migrate", "-v", "0")
    assert (done.code, done.err) == (0, "")
    transient = {"dashboard_labbeat", "dashboard_labrequest", "dashboard_presence", "dashboard_guessbucket"}
    assert lost({name: count for name, count in before.items() if name not in transient}, counts(database)) == {}
    with closing(sqlite3.connect(database)) as connection:
        sizes = "sum(length(CAST(facts AS BLOB)) + length(CAST(text AS BLOB)))"
        stored = connection.execute(
            f"SELECT experiment_id, count(*), {sizes} FROM dashboard_journalentry GROUP BY experiment_id"  # noqa: S608
        ).fetchall()
        counted = connection.execute("SELECT id, journal_entries, journal_bytes FROM dashboard_experiment").fetchall()
    assert len(stored) > 0
    assert {row[:2] for row in stored} == {row[:2] for row in counted if row[1]}
    measured = {identity: size for identity, _, size in counted}
    assert all(0.9 * size <= measured[identity] <= size for identity, _, size in stored), "characters, not bytes"


def test_no_command_migrates_the_database_of_a_running_server(
    nowhere: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = place(nowhere, "database-0013.sql")
    before = one(database, "SELECT max(name) FROM django_migrations WHERE app = 'dashboard'")
    monkeypatch.setenv("NETMODES_DATA_DIR", str(nowhere.folder))
    with announced("http://127.0.0.1:1"):
        for command in (("accounts", "invite", "ada"), ("report", "list"), ("up",), ("link",)):
            done = nowhere.run(*command)
            assert (done.code, done.out) == (1, "")
            assert done.err == (
                "Netmodes is running at http://127.0.0.1:1 with an earlier version. Restart it first: it then migrates "
                "the database.\n"
            )
    assert one(database, "SELECT max(name) FROM django_migrations WHERE app = 'dashboard'") == before
    assert nowhere.run("report", "list").code == 0
    assert one(database, "SELECT max(name) FROM django_migrations WHERE app = 'dashboard'") > before


def test_a_database_of_a_newer_version_is_refused_and_stays_unchanged(terminal: Terminal) -> None:
    database = terminal.folder / "netmodes.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        insert = "INSERT INTO django_migrations (app, name, applied) VALUES ('dashboard', '9999_future', '2030-01-01')"
        connection.execute(insert)
    before = counts(database)
    for command in (("up", "--port", "1"), ("report", "list")):
        done = terminal.run(*command)
        assert done.code == 1, command
        assert "newer version of Netmodes: it has the migration dashboard.9999_future" in done.err
        assert "Traceback" not in done.err
    assert counts(database) == before


@pytest.mark.usefixtures("transactional_db")
def test_a_database_that_has_all_migrations_is_not_migrated_again(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(commanding, "call_command", lambda name, **_options: called.append(name))
    NetmodesCommand().migrate()
    assert called == []
    all_but_one = applied_migrations()[:-1]
    monkeypatch.setattr(commanding, "applied_migrations", lambda: all_but_one)
    NetmodesCommand().migrate()
    assert called == ["migrate"]
