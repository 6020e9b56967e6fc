"""``./netmodes backup`` and ``restore``: during writes, all or nothing, and refusals with the reason."""

from __future__ import annotations

import gzip
import io
import random
import sqlite3
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Self

import msgspec
import psycopg
import pytest

from dashboard.backup.archive import BackupError, manifest_entry, read_archive, write_archive
from dashboard.bench.operations.postgres_nats import Postgres, temporary_folder
from dashboard.core.operations.backup_manifest import Manifest
from dashboard.lab.lab_lock import LabLock
from dashboard.management.serving import announced
from tests.support.polling import until
from tests.support.terminal import Done, Terminal

#: An experiment in the schema of migration 0012, and in today's.
OLD_EXPERIMENT = (
    'INSERT INTO dashboard_experiment (id, title, spec, head, wanted, round, phase, driver, host, "group", created_at,'
    " shown_seq) VALUES ('written', 't', '{}', '', 'stopped', 1, 'stopped', '', '', '', '2026-01-01', 0)"
)
EXPERIMENT = OLD_EXPERIMENT.replace(" shown_seq)", " shown_seq, journal_entries, journal_bytes)").replace(
    "0)", "0, 0, 0)"
)
ENTRY = (
    "INSERT INTO dashboard_journalentry (experiment_id, seq, at, source, detail, actor, text, about, facts)"
    " VALUES ('written', ?, 0, 'lab', '', '', ?, '', '{}')"
)


class Writer:
    """Writes journal entries; ``acknowledged`` counts the committed ones."""

    def __init__(self, database: Path) -> None:
        self.acknowledged = 0
        self._database = database
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Self:
        with closing(sqlite3.connect(self._database)) as connection, connection:
            connection.execute(EXPERIMENT)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join(30)

    def _write(self) -> None:
        with closing(sqlite3.connect(self._database, timeout=20)) as connection:
            while not self._ends.is_set():
                with connection:
                    connection.execute(ENTRY, (self.acknowledged + 1, "x" * 2000))
                self.acknowledged += 1


def restored(terminal: Terminal, folder: Path, *arguments: str) -> Done:
    """``restore`` into another data folder."""
    there = Terminal({**terminal.environment, "NETMODES_DATA_DIR": str(folder)}, folder)
    return there.run("restore", *arguments)


def entries(database: Path) -> list[int]:
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [row[0] for row in connection.execute("SELECT seq FROM dashboard_journalentry ORDER BY seq")]


@pytest.fixture
def made(nowhere: Terminal) -> Terminal:
    """A data folder with a database and a key."""
    key = nowhere.folder / "secret.key"
    key.touch(0o600)
    key.write_text("k" * 64)
    return nowhere


def test_a_backup_during_writes_holds_all_entries_committed_before(made: Terminal, tmp_path: Path) -> None:
    file, new = tmp_path / "one.backup", tmp_path / "new"
    with Writer(made.folder / "netmodes.db") as writer:
        until(lambda: writer.acknowledged > 300)
        before = writer.acknowledged
        done = made.run("backup", str(file))
        after = writer.acknowledged
        assert (done.code, done.err) == (0, "")
    assert after > before, "it wrote during the backup"
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith((".", "one"))) == ["one.backup"]
    assert restored(made, new, str(file), "--check").out.startswith(f"{file} is intact: ")
    assert not (new / "netmodes.db").exists()
    done = restored(made, new, str(file))
    assert (done.code, done.err) == (0, "")
    found = entries(new / "netmodes.db")
    assert found == list(range(1, len(found) + 1))
    assert before <= len(found) <= after + 1
    assert (new / "netmodes.db").stat().st_mode & 0o777 == 0o600
    refused = made.run("backup", str(file))
    assert (refused.code, refused.err.strip()) == (1, f"{file} already exists. Choose another file name.")


def test_a_restore_keeps_existing_data_and_refuses_while_netmodes_runs(
    made: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "one.backup"
    assert made.run("backup", str(file), "--with-key").code == 0
    with closing(sqlite3.connect(made.folder / "netmodes.db")) as connection, connection:
        connection.execute(EXPERIMENT)
        connection.execute(ENTRY, (1, ""))
    refused = made.run("restore", str(file))
    assert refused.code == 1
    assert "already contains data" in refused.err
    assert "--replace" in refused.err
    lock = LabLock(made.folder)
    lock.acquire()
    refused = made.run("restore", str(file), "--replace")
    assert (refused.code, "Stop it first" in refused.err) == (1, True)
    lock.release()
    monkeypatch.setenv("NETMODES_DATA_DIR", str(made.folder))
    with announced("http://127.0.0.1:1"):  # a server without an engine has no lab lock
        refused = made.run("restore", str(file), "--replace")
    assert (refused.code, refused.err) == (
        1,
        "Netmodes is running at http://127.0.0.1:1. Stop it first, then restore.\n",
    )
    assert entries(made.folder / "netmodes.db") == [1]
    done = made.run("restore", str(file), "--replace", "--json")
    assert done.code == 0, done.err
    assert entries(made.folder / "netmodes.db") == []
    assert entries(Path(done.json["aside"])) == [1]
    assert done.json["key"] is False, "the key of existing data stays"
    new = tmp_path / "new"
    assert restored(made, new, str(file)).code == 0


@pytest.mark.parametrize("damage", ["all", "first page", "end", "log"])
def test_a_damaged_database_is_replaced_and_kept_beside_the_restored_one(
    made: Terminal, tmp_path: Path, damage: str
) -> None:
    """The advice for a damaged database is to restore a backup with --replace."""
    file, database = tmp_path / "one.backup", made.folder / "netmodes.db"
    assert made.run("backup", str(file)).code == 0
    content, log = database.read_bytes(), Path(f"{database}-wal")
    noise = random.Random(1).randbytes(len(content))
    database.write_bytes({"all": noise, "first page": noise[:4096] + content[4096:]}.get(damage, content[:5000]))
    if damage == "log":
        log.write_bytes(noise)
    damaged = database.read_bytes()
    refused = made.run("restore", str(file))
    assert (refused.code, "--replace" in refused.err) == (1, True), refused.err
    done = made.run("restore", str(file), "--replace", "--json")
    assert (done.code, done.err) == (0, "")
    assert Path(done.json["aside"]).read_bytes() == damaged
    assert entries(database) == []
    assert not log.exists(), "SQLite would apply it to the restored database"
    assert made.run("report", "list").code == 0


def test_the_key_of_a_backup_is_restored_into_an_empty_folder_unless_the_environment_sets_one(
    made: Terminal, tmp_path: Path
) -> None:
    file, key = tmp_path / "one.backup", (made.folder / "secret.key").read_text()
    assert made.run("backup", str(file), "--with-key").code == 0
    new = tmp_path / "new"
    done = restored(made, new, str(file), "--json")
    assert (done.json["key"], (new / "secret.key").read_text()) == (True, key)
    assert (new / "secret.key").stat().st_mode & 0o777 == 0o600
    made.environment["NETMODES_SECRET_KEY"] = "k" * 50
    done = restored(made, tmp_path / "other", str(file), "--json")
    assert (done.json["key"], (tmp_path / "other" / "secret.key").exists()) == (False, False)
    refused = made.run("backup", str(tmp_path / "two.backup"), "--with-key")
    assert (refused.code, refused.err) == (
        1,
        "The secret key comes from NETMODES_SECRET_KEY. Store it separately, and leave out --with-key.\n",
    )
    assert not (tmp_path / "two.backup").exists()


def test_database_and_key_are_restored_to_different_disks(made: Terminal, tmp_path: Path) -> None:
    file, key = tmp_path / "one.backup", (made.folder / "secret.key").read_text()
    assert made.run("backup", str(file), "--with-key").code == 0
    with tempfile.TemporaryDirectory(dir="/dev/shm") as disk:
        if Path(disk).stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("both folders are on one disk")
        made.environment["DATABASE_URL"] = f"sqlite:///{disk}/other.db"
        done = restored(made, tmp_path / "new", str(file), "--json")
        assert (done.code, done.err, done.json["key"]) == (0, "", True)
        assert entries(Path(disk, "other.db")) == []
        assert [path.name for path in Path(disk).iterdir()] == ["other.db"]
    found = tmp_path / "new" / "secret.key"
    assert (found.read_text(), found.stat().st_mode & 0o777) == (key, 0o600)
    assert not list(found.parent.glob(".netmodes-*"))


def extracted(file: Path, folder: Path) -> None:
    with read_archive(file) as archive:
        archive.extract(folder)


def members(file: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(file) as tar:
        for member in tar:
            content = tar.extractfile(member)
            yield member.name, content.read() if content else b""


def packed(file: Path, found: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(file, "w:gz") as tar:
        for name, content in found:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file


def test_an_interrupted_backup_leaves_another_one_of_the_same_name_intact(tmp_path: Path) -> None:
    target, data = tmp_path / "one.backup", tmp_path / "data"
    data.write_bytes(random.Random(1).randbytes(1 << 20))
    manifest = Manifest("1", "2026-01-01", "sqlite", (), (manifest_entry("data", data),))
    folders = [tmp_path / name for name in ("first", "second", "out")]
    for folder in folders:
        folder.mkdir()

    class Files(dict[str, Path]):
        """The files of a backup during which another one finishes, and which is then interrupted."""

        def __getitem__(self, _name: str) -> Path:
            write_archive(target, manifest, {"data": data}, folders[1])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_archive(target, manifest, Files(), folders[0])
    extracted(target, folders[2])
    assert (folders[2] / "data").read_bytes() == data.read_bytes()
    with pytest.raises(FileExistsError):
        write_archive(target, manifest, {"data": data}, folders[2])


def test_a_backup_leaves_a_file_of_the_user_beside_it_alone(made: Terminal, tmp_path: Path) -> None:
    file, other = tmp_path / "one.backup", tmp_path / "one.backup.part"
    other.write_text("mine")
    assert made.run("backup", str(file)).code == 0
    assert other.read_text() == "mine"


def test_a_damaged_foreign_or_newer_backup_is_refused_and_changes_nothing(made: Terminal, tmp_path: Path) -> None:
    file, new = tmp_path / "one.backup", tmp_path / "new"
    assert made.run("backup", str(file)).code == 0
    content = file.read_bytes()
    (_, listed), (name, database) = members(file)
    manifest = msgspec.json.decode(listed, type=Manifest)
    later = replace(manifest, migrations=(*manifest.migrations, "dashboard.9999_later"), version="9.0")
    broken = {
        "cut": content[: len(content) // 2],
        "empty": b"",
        "text": b"hello\n" * 100,
        "other": gzip.compress(b"x" * 100_000),
        "bit": packed(tmp_path / "p", [("manifest.json", listed), (name, database[:-1] + b"x")]).read_bytes(),
        "longer": packed(tmp_path / "p", [("manifest.json", listed), (name, database + b"x")]).read_bytes(),
        "without": packed(tmp_path / "p", [("manifest.json", listed)]).read_bytes(),
        "away": packed(tmp_path / "p", [("manifest.json", listed), ("../away", database)]).read_bytes(),
        "list": packed(tmp_path / "p", [("manifest.json", b'{"files": 1}'), (name, database)]).read_bytes(),
    }
    for kind, what in broken.items():
        (tmp_path / kind).write_bytes(what)
        (folder := tmp_path / f"out-{kind}").mkdir()
        with pytest.raises(BackupError, match=r"damaged|not a backup"):
            extracted(tmp_path / kind, folder)
    assert not (tmp_path / "away").is_file() or (tmp_path / "away").read_bytes() == broken["away"]
    (tmp_path / "bad").write_bytes(broken["bit"])
    packed(tmp_path / "later", [("manifest.json", msgspec.json.encode(later)), (name, database)])
    for path, reason in (
        ("bad", "is damaged"),
        ("later", "made by Netmodes 9.0, which is newer"),
        ("no", "No such file"),
    ):
        done = restored(made, new, str(tmp_path / path))
        assert done.code == 1, path
        assert reason in done.err
        assert len(done.err.strip().splitlines()) == 1, done.err
    assert sorted(path.name for path in new.iterdir() if path.name.startswith((".", "netmodes"))) == []


@pytest.mark.slow
def test_postgresql_is_backed_up_and_restored_into_an_empty_database(nowhere: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "one.backup"
    with temporary_folder() as folder:
        server = Postgres(folder)
        try:
            here = Terminal({**nowhere.environment, "DATABASE_URL": server.url}, nowhere.folder)
            assert here.run("migrate", "dashboard", "0012_groups").code == 0
            with psycopg.connect(server.url) as connection:
                connection.execute(OLD_EXPERIMENT)
                connection.execute(ENTRY.replace("?", "%s"), (1, "text"))
            done = here.run("backup", str(file))
            assert (done.code, done.err) == (0, "")
            url = server.create_database("other")
            there = Terminal({**nowhere.environment, "DATABASE_URL": url}, nowhere.folder)
            with psycopg.connect(url):
                refused = there.run("restore", str(file))
                assert (refused.code, "by 1 other connections" in refused.err) == (1, True), refused.err
            done = there.run("restore", str(file), "--json")
            assert (done.code, done.err) == (0, "")
            assert done.json["migrated"] is True
            with psycopg.connect(url) as connection:
                rows = connection.execute("SELECT seq, text FROM dashboard_journalentry").fetchall()
            assert rows == [(1, "text")]
            assert there.run("migrate", "--check").code == 0
            assert restored(nowhere, tmp_path / "new", str(file)).err.startswith(
                "The backup is of a postgresql database"
            )
        finally:
            server.stop()
