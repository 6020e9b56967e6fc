"""A role in PostgreSQL for each machine that has joined, which reads and writes the rows of its machine only.

Row-level security instead of writes through a web process: a lab keeps its queries, transactions and journal as they
are, works while no web process runs, and the database itself refuses everything else. The owner of the tables, which
web processes and the installation's lab use, is not restricted. Policies exist from the first machine on.
"""

import secrets

from django.db import connection

from dashboard.models import Installation, Machine
from dashboard.store.installation import installation_id

#: What machines may do with the rows that a policy shows them, by table; with columns, only with these.
_GRANTS = {
    "experiment": "SELECT, INSERT, UPDATE, DELETE",
    "arm": "SELECT, INSERT, UPDATE, DELETE",
    "journalentry": "SELECT, INSERT, UPDATE, DELETE",
    "measurementrun": "SELECT, INSERT, UPDATE, DELETE",
    "measurementseries": "SELECT, INSERT, UPDATE, DELETE",
    "measurementblock": "SELECT, INSERT, UPDATE, DELETE",
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
#: The condition for the rows of a machine, by table. ``{machine}`` is the name of the machine of the session's role.
_OWN = "machine_id = {machine}"
_POLICIES = {
    "experiment": _OWN,
    "arm": "EXISTS (SELECT 1 FROM dashboard_experiment e WHERE e.id = experiment_id)",
    "journalentry": "EXISTS (SELECT 1 FROM dashboard_experiment e WHERE e.id = experiment_id)",
    "measurementrun": _OWN,
    "measurementseries": "EXISTS (SELECT 1 FROM dashboard_measurementrun r WHERE r.id = run_id)",
    "measurementblock": "EXISTS (SELECT 1 FROM dashboard_measurementseries s WHERE s.id = series_id)",
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
#: Conditions for rows that are written, where they are stricter. What a machine runs belongs to no group of another
#: machine. It may remove its experiment from a session that shows it, and may show no other there.
_CHECKS = {
    **dict.fromkeys(("experiment", "measurementrun", "claimrun"), _OF_OWN_GROUP),
    "trainingsession": "mirror_id IS NULL",
}
#: Whether the host of a participant's group is on the machine of the session's role. It reads rows that the role may
#: not read, and therefore returns nothing else.
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
#: Connections of a lab: its pool and its lock.
MAX_CONNECTIONS = 25


def is_supported() -> bool:
    """Whether this database has roles."""
    return connection.vendor == "postgresql"


def _prefix() -> str:
    return f"netmodes_{installation_id()}_"


def role_of(machine: str) -> str:
    """The name of a machine's role. Roles belong to the whole server, hence the installation's id."""
    return _prefix() + machine


def _execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _group() -> str:
    return _quote(f"netmodes_{installation_id()}")


def _exists(role: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        return cursor.fetchone() is not None


def prepare() -> None:
    """Creates the group of all machines with its permissions and policies, or updates them."""
    group, start = _group(), len(_prefix()) + 1
    if not _exists(f"netmodes_{installation_id()}"):
        _execute(f"CREATE ROLE {group} NOLOGIN")
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
        statements.append(f"GRANT {rights} ON dashboard_{table} TO {group}")
    for table, condition in _POLICIES.items():
        using = condition.format(machine=machine).replace("%%", "%")
        check = _CHECKS.get(table, condition).format(machine=machine).replace("%%", "%")
        statements += [
            f"ALTER TABLE dashboard_{table} ENABLE ROW LEVEL SECURITY",
            f"DROP POLICY IF EXISTS netmodes_machine ON dashboard_{table}",
            f"CREATE POLICY netmodes_machine ON dashboard_{table} TO {group} USING ({using}) WITH CHECK ({check})",
        ]
    _execute(*statements)


def update() -> None:
    """Updates the policies after a migration, if there are machines."""
    if is_supported() and Machine.objects.exists() and Installation.objects.exists():
        prepare()


def create(machine: str) -> tuple[str, str]:
    """Creates the role of a machine; its name and password. In a transaction. DatabaseError if the own role may not
    create roles."""
    prepare()
    role, password = role_of(machine), secrets.token_urlsafe(32)
    if _exists(role):
        _drop(role)
    _execute(
        f"CREATE ROLE {_quote(role)} LOGIN CONNECTION LIMIT {MAX_CONNECTIONS} PASSWORD '{password}'",
        f"GRANT {_group()} TO {_quote(role)}",
    )
    return role, password


def drop(machine: str) -> None:
    """Removes the role of a machine and ends its connections."""
    if is_supported() and _exists(role := role_of(machine)):
        _drop(role)


def _drop(role: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {_quote(role)} NOLOGIN")
        cursor.execute(f"GRANT {_quote(role)} TO CURRENT_USER")  # its connections may be ended by members only
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [role])
        cursor.execute(f"DROP ROLE {_quote(role)}")
