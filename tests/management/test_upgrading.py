"""The database of an earlier version: brought up to date, its pages and exports open; and its backup likewise."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.management.terminal import Site, Terminal

RECORDED = Path(__file__).resolve().parent.parent / "recorded"
EXPERIMENT, FAILED, RUN = "exp2345678", "fad2345678", "run2345678"


def one(database: Path, query: str) -> str:
    with closing(sqlite3.connect(database)) as connection:
        return str(connection.execute(query).fetchone()[0])


def counts(database: Path) -> dict[str, int]:
    """Rows of every table of ours that has some."""
    with closing(sqlite3.connect(database)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'dashboard_%'")
        found = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for (name,) in tables}  # noqa: S608
    return {name: count for name, count in found.items() if count}


@pytest.fixture
def earlier(nowhere: Terminal) -> Terminal:
    """A data folder as the earlier version left it."""
    for file in nowhere.folder.glob("netmodes.db*"):
        file.unlink()
    with closing(sqlite3.connect(nowhere.folder / "netmodes.db")) as connection:
        connection.executescript((RECORDED / "database-0009.sql").read_text())
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    return nowhere


def opened(site: Site, database: Path) -> None:
    """Whatever shows a row of then."""
    report = one(database, "SELECT id FROM dashboard_report")
    claims = one(database, "SELECT id FROM dashboard_claimrun")
    session = one(database, "SELECT id FROM dashboard_trainingsession")
    series = one(database, "SELECT signature FROM dashboard_measurementseries")
    seat = one(database, "SELECT id FROM dashboard_seat WHERE name = 'Ada'")
    for path, said in {
        "/": "Host or bridge",
        f"/experiments/{EXPERIMENT}/": "Host or bridge",
        f"/experiments/{EXPERIMENT}/?at=2": "All arms run",
        f"/experiments/{EXPERIMENT}/track/": "",
        f"/experiments/{FAILED}/": "Nothing runs",
        "/measurements/": "host bridge",
        f"/measurements/{RUN}/": "host bridge",
        f"/measurements/history/?signature={quote(series)}": "host bridge",
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
        f"/sessions/{session}/console/seats/{seat}/": "Why?",
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


def test_it_is_brought_up_to_date_without_losing_a_row_and_so_is_its_backup(earlier: Terminal, tmp_path: Path) -> None:
    database, file = earlier.folder / "netmodes.db", tmp_path / "earlier.backup"
    before = counts(database)
    assert len(before) > 20
    assert earlier.run("backup", str(file)).code == 0
    site = earlier.serve().sign_in()
    opened(site, database)
    # The link that was just used and the one that had expired are what an ordinary start changes.
    ignored = {"dashboard_signinlink", "dashboard_labbeat", "dashboard_presence", "dashboard_labrequest"}
    kept = {name: count for name, count in before.items() if name not in ignored}
    assert {name: count for name, count in counts(database).items() if name in kept} == kept
    assert site.running.interrupt().code == 0
    new = tmp_path / "new"
    there = Terminal({**earlier.environment, "NETMODES_DATA_DIR": str(new)}, new)
    done = there.run("restore", str(file), "--json")
    assert (done.code, done.err) == (0, "")
    assert (done.json["migrated"], done.json["aside"]) == (True, "")
    restored = {name: count for name, count in counts(new / "netmodes.db").items() if name in kept}
    assert restored == kept
    with closing(sqlite3.connect(new / "netmodes.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM dashboard_signinlink").fetchone() == (0,)
    assert there.run("migrate", "--check").code == 0, "nothing is left to do"
