"""PostgreSQL: its own programs dump and restore; they read while others write, and restore in one transaction."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from dashboard import configuration
from dashboard.backup.archive import BackupError

LONGEST_S = 6 * 3600
SAID = 300
CLOSING_S = (0.1, 0.2, 0.4, 0.8)
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)
#: What libpq reads from its environment: a password in an argument could be read by everybody.
_VARIABLES = {"HOST": "PGHOST", "PORT": "PGPORT", "USER": "PGUSER", "PASSWORD": "PGPASSWORD", "NAME": "PGDATABASE"}
_OPTIONS = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"}


def _environment(database: Mapping[str, Any]) -> dict[str, str]:
    found = {name: str(database[key]) for key, name in _VARIABLES.items() if database.get(key)}
    options = database.get("OPTIONS") or {}
    found |= {name: str(options[key]) for key, name in _OPTIONS.items() if options.get(key)}
    return {**os.environ, **found, "LC_ALL": "C.UTF-8"}


def _run(program: str, *arguments: str) -> None:
    if shutil.which(program) is None:
        raise BackupError(f"{program} is not installed: apt install postgresql-client brings it.")
    try:
        done = subprocess.run(
            [program, *arguments],
            env=_environment(connection.settings_dict),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=LONGEST_S,
        )
    except subprocess.TimeoutExpired:
        raise BackupError(f"{program} was not done within {LONGEST_S // 3600} hours.") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["it said nothing"]
        raise BackupError(f"{program} failed: {lines[0][:SAID]}")


def dump(target: Path) -> None:
    """Everything that was committed before."""
    configuration.keep_private(target)
    _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")


def migrations() -> tuple[str, ...]:
    """The migrations that are applied."""
    return tuple(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())


def is_empty() -> bool:
    """Whether nothing is lost if something is restored."""
    with connection.cursor() as cursor:
        return not connection.introspection.table_names(cursor)


def others() -> int:
    """How many connections to this database there are besides ours."""
    import psycopg

    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL alone has pools
    found = 0
    try:
        with psycopg.connect(**(connection.get_connection_params() | {"autocommit": True})) as opened:
            # The server takes a moment to notice that a pool is closed.
            for pause_s in (*CLOSING_S, 0.0):
                row = opened.execute(_OTHERS).fetchone()
                found = int(row[0]) if row else 0
                if not found:
                    break
                time.sleep(pause_s)
            return found
    except psycopg.Error as error:
        raise BackupError(f"The database cannot be used: {error}") from None


def restore(source: Path) -> None:
    """All of it or nothing, into a database that is empty."""
    connection.close()
    database = str(connection.settings_dict["NAME"])
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    _run("pg_restore", *options, f"--dbname={database}", str(source))


def forget_links() -> None:
    """Sign-in links that were used after the backup would be good once more."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM dashboard_signinlink")
