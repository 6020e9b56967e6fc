"""Backs up and restores PostgreSQL with pg_dump and pg_restore. A dump blocks no writers; a restore is one
transaction."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.db import connection

from dashboard import configuration
from dashboard.backup.archive import BackupError

TIMEOUT_S = 6 * 3600
MAX_MESSAGE = 300
CLOSE_PAUSES_S = (0.1, 0.2, 0.4, 0.8)
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)
#: Entries of a dump that are not restored: policies name the roles of machines, and row security is of no use without
#: policies.
_OF_ROLES = re.compile(r"\d+; \d+ \d+ (POLICY|ROW SECURITY) ")
#: Settings are passed in variables of libpq, because other users could read a password in an argument.
_VARIABLES = {"HOST": "PGHOST", "PORT": "PGPORT", "USER": "PGUSER", "PASSWORD": "PGPASSWORD", "NAME": "PGDATABASE"}
_OPTIONS = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"}


def _environment(database: Mapping[str, Any]) -> dict[str, str]:
    options = database.get("OPTIONS") or {}
    variables = {name: str(database[key]) for key, name in _VARIABLES.items() if database.get(key)}
    variables |= {name: str(options[key]) for key, name in _OPTIONS.items() if options.get(key)}
    return {**os.environ, **variables, "LC_ALL": "C.UTF-8"}


def _run(program: str, *arguments: str) -> str:
    if shutil.which(program) is None:
        raise BackupError(f"{program} is not installed. Install it with apt install postgresql-client.")
    try:
        done = subprocess.run(
            [program, *arguments],
            env=_environment(connection.settings_dict),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise BackupError(f"{program} did not finish within {TIMEOUT_S // 3600} hours.") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
        raise BackupError(f"{program} failed: {lines[0][:MAX_MESSAGE]}")
    return done.stdout


def dump(target: Path) -> None:
    """Writes everything that is committed at this moment into a file. Raises BackupError."""
    configuration.keep_private(target)
    _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")


def is_empty() -> bool:
    """Whether the database has no tables."""
    with connection.cursor() as cursor:
        return not connection.introspection.table_names(cursor)


def other_connections() -> int:
    """Returns the number of connections that other clients have to this database. Before that, closes the connections
    of this process. Raises BackupError if the database cannot be reached."""
    import psycopg

    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # only PostgreSQL has pools
    others = 0
    try:
        with psycopg.connect(**(connection.get_connection_params() | {"autocommit": True})) as connected:
            # The server notices the closed pool after a moment.
            for pause_s in (*CLOSE_PAUSES_S, 0.0):
                row = connected.execute(_OTHERS).fetchone()
                others = int(row[0]) if row else 0
                if not others:
                    break
                time.sleep(pause_s)
            return others
    except psycopg.Error as error:
        raise BackupError(f"Cannot use the database: {error}") from None


def restore(source: Path) -> None:
    """Restores a dump into an empty database, completely or not at all. Raises BackupError.

    The permissions of machines that have joined the installation are not restored: they refer to roles, which are not
    part of a database (``store.operations.machine_roles``).
    """
    connection.close()
    entries = source.with_suffix(".list")
    lines = _run("pg_restore", "--list", str(source)).splitlines()
    entries.write_text("".join(f"{line}\n" for line in lines if not _OF_ROLES.match(line)))
    database = str(connection.settings_dict["NAME"])
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", f"--use-list={entries}")
    _run("pg_restore", *options, f"--dbname={database}", str(source))


def delete_sign_in_links() -> None:
    """Deletes all sign-in links that the backup contained. Links that were used after the backup was made would
    otherwise work again."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM dashboard_signinlink")
