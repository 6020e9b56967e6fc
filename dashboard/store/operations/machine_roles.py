"""A PostgreSQL role for each machine that has joined the installation. The role can read and write only the rows of its
machine.

The database itself enforces this with row-level security, so no web process has to write for the labs. The lab of such
a machine uses the same queries, transactions and journal as every lab, and works while no web process runs. Web
processes and the installation's lab use another role, which owns the tables and is not restricted. The policies are
created when the first machine joins.
"""

import hashlib
import logging
import secrets
import time

from django.db import DatabaseError, OperationalError, connection, transaction

from dashboard.models import Installation, Machine
from dashboard.store.installation import installation_id

log = logging.getLogger(__name__)

#: The privileges of machines on the rows that a policy shows them, by table. A list of columns limits a privilege to
#: them.
_GRANTS = {
    "experiment": (
        "SELECT, INSERT, DELETE, "
        "UPDATE (title, spec, head, wanted, round, phase, driver, machine_id, host, shown_seq, journal_entries, "
        "journal_bytes)"
    ),
    "arm": "SELECT, INSERT, UPDATE, DELETE",
    "journalentry": "SELECT, INSERT, UPDATE, DELETE",
    "measurementrun": "SELECT, INSERT, UPDATE, DELETE",
    "measurementseries": "SELECT, INSERT, UPDATE, DELETE",
    "measurementblock": "SELECT, INSERT, UPDATE, DELETE",
    "measurementclient": "SELECT, DELETE",
    "claimrun": "SELECT, INSERT, UPDATE, DELETE",
    "claimoutcome": "SELECT, INSERT, UPDATE, DELETE",
    "grouphost": "SELECT, UPDATE (wanted, state, host, socket, reason, since, used_at, is_moved)",
    "terminalrecord": "SELECT, INSERT",
    "workshopprogress": "SELECT, UPDATE",
    "workshopstep": "SELECT, INSERT, UPDATE",
    "workshopevent": "SELECT, INSERT",
    "participant": 'SELECT (id, session_id, "group", joined_at, admitted_at, removed_at)',
    "trainingsession": (
        "SELECT (id, workshop, digest, closed_at, expires_at, hosts, terminal, memory_mb, pids, cpus, ttl_s, idle_s, "
        "mirror_id), "
        "UPDATE (mirror_id)"
    ),
    "machine": (
        "SELECT (name, is_draining, revoked_at), "
        "UPDATE (cpus, memory_mb, capacity, engine, engine_version, kernel, version, seen_at)"
    ),
    "installation": "SELECT",
}
#: The SQL condition for the rows that a machine sees, by table. ``{machine}`` is an expression for the machine's name.
_OWN = "machine_id = {machine}"
_POLICIES = {
    "experiment": _OWN,
    "arm": "EXISTS (SELECT 1 FROM dashboard_experiment e WHERE e.id = experiment_id)",
    "journalentry": "EXISTS (SELECT 1 FROM dashboard_experiment e WHERE e.id = experiment_id)",
    "measurementrun": _OWN,
    "measurementseries": "EXISTS (SELECT 1 FROM dashboard_measurementrun r WHERE r.id = run_id)",
    "measurementblock": "EXISTS (SELECT 1 FROM dashboard_measurementseries s WHERE s.id = series_id)",
    "measurementclient": "EXISTS (SELECT 1 FROM dashboard_measurementrun r WHERE r.id = run_id)",
    "claimrun": _OWN,
    "claimoutcome": "EXISTS (SELECT 1 FROM dashboard_claimrun r WHERE r.id = run_id)",
    "grouphost": _OWN,
    "terminalrecord": "netmodes_is_here(participant_id)",
    "workshopprogress": "person LIKE 'seat:%%' AND netmodes_is_here(substr(person, 6))",
    "workshopstep": "EXISTS (SELECT 1 FROM dashboard_workshopprogress w WHERE w.id = progress_id)",
    "workshopevent": "EXISTS (SELECT 1 FROM dashboard_workshopprogress w WHERE w.id = progress_id)",
    "participant": "netmodes_is_here(id)",
    "trainingsession": (
        "EXISTS (SELECT 1 FROM dashboard_grouphost h WHERE h.session_id = dashboard_trainingsession.id) "
        "OR EXISTS (SELECT 1 FROM dashboard_experiment e WHERE e.id = mirror_id)"
    ),
    "machine": "name = {machine}",
}
_GROUPS = """(SELECT h."group" FROM dashboard_grouphost h)"""
_OF_OWN_GROUP = f"""{_OWN} AND ("group" = '' OR "group" IN {_GROUPS})"""
_IS_SEEN = "({0} IS NULL OR EXISTS (SELECT 1 FROM dashboard_experiment e WHERE e.id = {0}))"
#: Conditions for rows that a machine writes, where they are stricter than ``_POLICIES``. Its runs may belong only to
#: groups with a host on it. In a session that shows its experiment, it may only reset ``mirror_id``. Its measurements
#: may refer only to its own experiments, which foreign keys do not ensure: they are checked as the owner of the tables,
#: who sees all rows.
_CHECKS = {
    **dict.fromkeys(("experiment", "claimrun"), _OF_OWN_GROUP),
    "measurementrun": f"{_OF_OWN_GROUP} AND {_IS_SEEN.format('experiment_id')} AND {_IS_SEEN.format('source_id')}",
    "trainingsession": "mirror_id IS NULL",
}
#: Further conditions for new rows. A part of an experiment on several machines is added by web processes
#: only, and no machine may change which rows belong together: pages and retention rely on it.
_NEW_ROWS = {"experiment": "parts = '' AND parent_id IS NULL"}
#: An SQL function: whether the host of a participant's group is on the machine of the current role. It reads rows that
#: the role may not read, and therefore returns only this boolean.
_FUNCTION = """
CREATE OR REPLACE FUNCTION netmodes_is_here(participant text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $$
    SELECT EXISTS (
        SELECT 1 FROM dashboard_participant p
        JOIN dashboard_grouphost h ON h."group" = p.session_id || '-' || p."group"
        WHERE p.id = participant AND h.machine_id = substr(session_user::text, {start})
    )
$$
"""
#: The maximum number of connections of a lab: its pool and its lock.
MAX_CONNECTIONS = 25
#: How long ``_lock_tables`` tries until no transaction uses the tables, and the pause between two attempts.
LOCK_S, RETRY_S = 5.0, 0.05


def is_supported() -> bool:
    """Whether this database has roles. True for PostgreSQL."""
    return connection.vendor == "postgresql"


def _prefix() -> str:
    return f"netmodes_{installation_id()}_"


def role_of(machine: str) -> str:
    """The name of a machine's role. The name contains the installation's id, because roles are shared by all databases
    of a PostgreSQL server."""
    return _prefix() + machine


def _execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _group_role() -> str:
    return f"netmodes_{installation_id()}"


def _group() -> str:
    return _quote(_group_role())


def _exists(role: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        return cursor.fetchone() is not None


def take_turn() -> None:
    """Waits until no other transaction changes machines or their roles. Later calls in other transactions wait until
    this transaction ends. Requires a transaction."""
    if connection.vendor == "postgresql":
        # A table lock, which machines have no permission to take. A machine could hold an advisory lock forever.
        _execute("LOCK TABLE dashboard_jointoken IN SHARE ROW EXCLUSIVE MODE")


def _statements() -> list[str]:
    """The SQL statements that create the policies and grant the permissions to the group role of all machines."""
    group, start = _group(), len(_prefix()) + 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        schema = _quote(str((cursor.fetchone() or ("public",))[0]))
    machine = f"substr(session_user::text, {start})"
    statements = [
        f"GRANT USAGE ON SCHEMA {schema} TO {group}",
        f"GRANT SELECT ON django_migrations TO {group}",
        _FUNCTION.format(schema=schema, start=start),
        "REVOKE ALL ON FUNCTION netmodes_is_here(text) FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION netmodes_is_here(text) TO {group}",
    ]
    for table, rights in _GRANTS.items():
        # An earlier version may have granted more.
        statements += [
            f"REVOKE ALL ON dashboard_{table} FROM {group}",
            f"GRANT {rights} ON dashboard_{table} TO {group}",
        ]
    for table, condition in _POLICIES.items():
        using = condition.format(machine=machine).replace("%%", "%")
        check = _CHECKS.get(table, condition).format(machine=machine).replace("%%", "%")
        statements += [
            f"ALTER TABLE dashboard_{table} ENABLE ROW LEVEL SECURITY",
            f"DROP POLICY IF EXISTS netmodes_machine ON dashboard_{table}",
            f"CREATE POLICY netmodes_machine ON dashboard_{table} TO {group} USING ({using}) WITH CHECK ({check})",
        ]
    for table, condition in _NEW_ROWS.items():
        kind = f"AS RESTRICTIVE FOR INSERT TO {group}"
        statements += [
            f"DROP POLICY IF EXISTS netmodes_new_row ON dashboard_{table}",
            f"CREATE POLICY netmodes_new_row ON dashboard_{table} {kind} WITH CHECK ({condition})",
        ]
    return statements


def _is_prepared(digest: str) -> bool:
    """Whether the database has the permissions and policies of this version of Netmodes. ``digest`` is the digest of
    the statements that ``_statements`` returns. ``prepare`` stores it as the comment of an SQL function."""
    with connection.cursor() as cursor:
        # The comment alone is no proof: a restored database contains it without the permissions, and a database that
        # was migrated back and forth contains it without some policies.
        cursor.execute(
            "SELECT obj_description(to_regprocedure('netmodes_is_here(text)'), 'pg_proc') = %s"
            " AND has_table_privilege(%s, 'django_migrations', 'SELECT')"
            " AND (SELECT count(*) FROM pg_policies WHERE schemaname = current_schema() AND policyname = ANY(%s)) = %s",
            [digest, _group_role(), ["netmodes_machine", "netmodes_new_row"], len(_POLICIES) + len(_NEW_ROWS)],
        )
        return bool((cursor.fetchone() or (False,))[0])


def _lock_tables() -> None:
    """Locks all tables that have policies, in one statement. Raises OperationalError if one of them remains in use for
    ``LOCK_S``, for example by a backup."""
    tables, end = ", ".join(f"dashboard_{table}" for table in _POLICIES), time.monotonic() + LOCK_S
    while True:
        try:
            # NOWAIT: a transaction that waits for one table while it holds another would block all users of that table,
            # and could end in a deadlock with a lab.
            with transaction.atomic():
                return _execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE NOWAIT")
        except OperationalError:
            if time.monotonic() > end:
                raise
        time.sleep(RETRY_S)


def prepare() -> None:
    """Creates the group role of all machines with its permissions and policies, or updates them if they differ.
    Requires a transaction."""
    if not _exists(_group_role()):
        _execute(f"CREATE ROLE {_group()} NOLOGIN")
    statements = _statements()
    digest = hashlib.sha256("\n".join(statements).encode()).hexdigest()
    if not _is_prepared(digest):
        _lock_tables()
        _execute(*statements, f"COMMENT ON FUNCTION netmodes_is_here(text) IS '{digest}'")


def update() -> None:
    """Updates the permissions if at least one machine has ever joined the installation. Needed after a migration, a
    restore, or a change of this module."""
    if is_supported() and Machine.objects.exists() and Installation.objects.exists():
        with transaction.atomic():
            take_turn()
            prepare()


def create(machine: str) -> tuple[str, str]:
    """Creates the role of a machine and returns its name and its new password. An existing role gets the new password.
    Requires a transaction. Raises DatabaseError if the current role may not create roles."""
    prepare()
    role, password = role_of(machine), secrets.token_urlsafe(32)
    name, attributes = _quote(role), f"LOGIN CONNECTION LIMIT {MAX_CONNECTIONS} PASSWORD '{_verifier(role, password)}'"
    if _exists(role):
        _execute(f"ALTER ROLE {name} RESET ALL", f"ALTER ROLE {name} {attributes}")
    else:
        _execute(f"CREATE ROLE {name} {attributes}")
    _execute(f"GRANT {_group()} TO {name}")
    return role, password


def _verifier(role: str, password: str) -> str:
    """The SCRAM verifier of a password, as PostgreSQL stores it. The verifier is sent instead of the password, which
    could otherwise appear in the server's log."""
    connection.ensure_connection()
    encrypt = connection.connection.pgconn.encrypt_password
    return bytes(encrypt(password.encode(), role.encode(), b"scram-sha-256")).decode()


def close(machine: str) -> None:
    """Ends the access of a machine to the database. Its connections end after the transaction. The role is not dropped:
    an object that the machine has created, for example a large object, would prevent that."""
    if not is_supported() or not _exists(role := role_of(machine)):
        return
    name = _quote(role)
    _execute(
        f"ALTER ROLE {name} NOLOGIN PASSWORD NULL",
        f"REVOKE {_group()} FROM {name}",
        f"GRANT {name} TO CURRENT_USER",  # its connections may be ended by members only
    )
    transaction.on_commit(lambda: _disconnect(role))


def _disconnect(role: str) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [role])
    except DatabaseError:
        log.exception("the connections of the role %s to the database cannot be ended; it has no permissions", role)
