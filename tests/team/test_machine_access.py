"""A machine is confined to its own subjects and rows, and ends when it is revoked."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from nats.aio.client import Client as NatsClient

from dashboard.bench.operations.team_deployment import TeamDeployment
from dashboard.bench.server import Server
from tests.team.machine import HEALED_S, SEEN_S, Machine, row, token, within

pytestmark = pytest.mark.engine
#: A web process must answer the server before a connection is admitted.
OPTIONS: dict[str, Any] = {"allow_reconnect": False, "connect_timeout": 20}
#: Subjects that only another machine, the installation's lab, web processes or the server itself may use.
FORBIDDEN_TO_PUBLISH = (
    "netmodes.web.heartbeat.server",
    "netmodes.web.heartbeat.lab3",
    "netmodes.web.heartbeat",
    "netmodes.web.journal.server",
    "netmodes.web.journal.lab3",
    "netmodes.web.reply.server.x.1",
    "netmodes.web.reply.lab3.x.1",
    "netmodes.web.peers",
    "netmodes.web.system.x",
    "netmodes.lab.call.server.x.0",
    "netmodes.lab.call.lab2.x.0",
    "netmodes.lab.cancel.server.x.0",
    "netmodes.lab.wakeup",
    "$SYS.REQ.USER.AUTH",
    "$SYS.REQ.SERVER.X.KICK",
    "$SYS.REQ.SERVER.PING",
    "$SYS.REQ.ACCOUNT.PING.CONNZ",
    "$JS.API.INFO",
    "_INBOX.x",
)
FORBIDDEN_TO_SUBSCRIBE = (
    ">",
    "netmodes.>",
    "netmodes.lab.>",
    "netmodes.lab.call.>",
    "netmodes.lab.call.*.>",
    "netmodes.lab.call.server.>",
    "netmodes.lab.cancel.lab3.>",
    "netmodes.web.>",
    "netmodes.web.heartbeat.lab2",
    "netmodes.web.reply.lab2.>",
    "netmodes.web.peers",
    "$SYS.>",
    "$SYS.REQ.USER.AUTH",
    "_INBOX.>",
)


async def test_a_machine_publishes_and_receives_only_its_own_subjects(lab2: Machine) -> None:
    errors: list[str] = []

    async def note(error: Exception) -> None:
        errors.append(str(error))

    client = NatsClient()
    await client.connect(lab2.received["nats"], error_cb=note, **OPTIONS)
    try:
        own = ("netmodes.web.journal.lab2", "netmodes.web.reply.lab2.nobody.1")
        for subject in (*own, *FORBIDDEN_TO_PUBLISH):
            await client.publish(subject, b"[]")
        for subject in ("netmodes.lab.call.lab2.test.>", "netmodes.lab.wakeup", *FORBIDDEN_TO_SUBSCRIBE):
            await client.subscribe(subject)
        await client.flush()
        async with asyncio.timeout(20):
            while len(errors) < len(FORBIDDEN_TO_PUBLISH) + len(FORBIDDEN_TO_SUBSCRIBE):
                await client.flush()
    finally:
        await client.close()
    refused = {match[1] for error in errors if (match := re.search(r'to "(.*)"', error))}
    assert len(FORBIDDEN_TO_PUBLISH) + len(FORBIDDEN_TO_SUBSCRIBE) >= 30
    assert refused == {subject.lower() for subject in (*FORBIDDEN_TO_PUBLISH, *FORBIDDEN_TO_SUBSCRIBE)}


async def is_refused(url: str) -> None:
    client = NatsClient()
    with pytest.raises(Exception, match=r"(?i)authorization"):
        await client.connect(url, **OPTIONS)
    with suppress(Exception):
        await client.close()


async def test_a_wrong_key_or_name_is_not_admitted(lab2: Machine) -> None:
    url = lab2.received["nats"]
    for wrong in (url.replace("lab2:", "lab3:"), re.sub(r"lab2:[^@]+", "lab2:x", url), url.replace("lab2:", "web:")):
        await is_refused(wrong)


#: Statements that a machine may not execute, or that concern no row; ``{other}`` is an experiment of another machine.
REFUSED = (
    "SELECT * FROM dashboard_report",
    "SELECT * FROM auth_user",
    "SELECT * FROM django_session",
    "SELECT * FROM dashboard_account",
    "SELECT * FROM dashboard_signinlink",
    "SELECT * FROM dashboard_auditentry",
    "SELECT * FROM dashboard_jointoken",
    "SELECT * FROM dashboard_share",
    "SELECT key_digest FROM dashboard_machine",
    "SELECT code FROM dashboard_trainingsession",
    "SELECT token_digest FROM dashboard_participant",
    "UPDATE dashboard_machine SET is_draining = true",
    "UPDATE dashboard_machine SET revoked_at = 0",
    "UPDATE dashboard_machine SET last_revoked_at = 0",
    "UPDATE dashboard_machine SET swarm_since = 0",
    "INSERT INTO dashboard_machine (name, joined_at) VALUES ('evil', 1)",
    "INSERT INTO dashboard_auditentry (id) VALUES ('x')",
    "INSERT INTO dashboard_grouphost (\"group\", session_id, wanted, state) VALUES ('a-1', 'a', 'running', 'queued')",
    "INSERT INTO dashboard_arm (experiment_id, key, position, container_name) VALUES ('{other}', 'x', 1, 'x')",
    "INSERT INTO dashboard_measurementrun (id, machine_id) VALUES ('x', 'lab3')",
    "INSERT INTO dashboard_measurementrun (id, machine_id, experiment_id) VALUES ('x', 'lab2', '{other}')",
    "INSERT INTO dashboard_measurementrun (id, machine_id, source_id) VALUES ('x', 'lab2', '{other}')",
    "DELETE FROM django_migrations",
    "UPDATE dashboard_installation SET id = 'x'",
    "CREATE TABLE evil (a int)",
    "ALTER TABLE dashboard_experiment DISABLE ROW LEVEL SECURITY",
    "DROP POLICY netmodes_machine ON dashboard_experiment",
    "CREATE ROLE evil",
    "SET ROLE netmodes",
    "COPY (SELECT 1) TO PROGRAM 'true'",
)
UNSEEN = (
    "SELECT * FROM dashboard_experiment WHERE id = '{other}'",
    "UPDATE dashboard_experiment SET wanted = 'removed' WHERE id = '{other}'",
    "UPDATE dashboard_experiment SET machine_id = 'lab2' WHERE machine_id IS NULL",
    "DELETE FROM dashboard_experiment WHERE id = '{other}'",
    "SELECT * FROM dashboard_arm WHERE experiment_id = '{other}'",
    "SELECT * FROM dashboard_journalentry WHERE experiment_id = '{other}'",
    "SELECT name FROM dashboard_machine WHERE name <> 'lab2'",
    "SELECT id FROM dashboard_participant WHERE session_id NOT IN (SELECT session_id FROM dashboard_grouphost)",
    "SELECT id FROM dashboard_trainingsession WHERE id NOT IN (SELECT session_id FROM dashboard_grouphost)",
)


def test_a_machine_reads_and_writes_only_its_own_rows(
    lab2: Machine, webs: list[Server], deployment: TeamDeployment
) -> None:
    other = webs[0].launch(("none",))
    statements = [text.replace("{other}", other) for text in (*REFUSED, *UNSEEN)]
    assert len(statements) >= 20
    with psycopg.connect(lab2.received["database"], autocommit=True) as database:
        assert database.execute("SELECT name FROM dashboard_machine").fetchall() == [("lab2",)]
        for statement in statements[: len(REFUSED)]:
            with pytest.raises(psycopg.Error, match=r"permission denied|violates row-level|must be (owner|superuser)"):
                database.execute(statement)
        for statement in statements[len(REFUSED) :]:
            assert database.execute(statement).rowcount == 0, statement
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(re.sub(r":[^:@/]+@", ":wrong@", lab2.received["database"]))
    webs[0].remove(other)


async def test_a_revoked_machine_can_no_longer_connect_until_it_joins_again(webs: list[Server], tmp_path: Path) -> None:
    other = Machine("lab4", tmp_path / "lab4", "unix:///nowhere")
    joined = await asyncio.to_thread(lambda: other.join(token(webs[0]), "--name", "lab4"))
    assert joined.returncode == 0, joined.stderr
    url, database = other.received["nats"], other.received["database"]
    client, closed = NatsClient(), asyncio.Event()
    with psycopg.connect(database) as connection:
        connection.execute("SELECT lo_create(0)")  # an object of its own, with which its role cannot be dropped

    async def on_closed() -> None:
        closed.set()

    await client.connect(url, closed_cb=on_closed, **OPTIONS)
    assert (await asyncio.to_thread(webs[0].ask, "POST", "/machines/lab4/revoke/")).status == 302
    await asyncio.wait_for(closed.wait(), 20)
    await is_refused(url)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(database)
    for server in webs:
        await asyncio.to_thread(within, SEEN_S, lambda server=server: "revoked" in row(server, "lab4"))  # type: ignore[misc]
    again = await asyncio.to_thread(lambda: other.join(token(webs[1]), "--name", "lab4"))
    assert again.returncode == 0, again.stderr
    psycopg.connect(other.received["database"]).close()
    assert (await asyncio.to_thread(webs[0].ask, "POST", "/machines/lab4/revoke/")).status == 302


@pytest.mark.slow
def test_a_running_lab_is_cut_off_by_a_revocation_and_returns_when_its_machine_joins_again(
    webs: list[Server], deployment: TeamDeployment, tmp_path: Path
) -> None:
    other = Machine("lab5", tmp_path / "lab5", "unix:///nowhere")

    def join() -> None:
        joined = other.join(token(webs[0]), "--name", "lab5")
        assert joined.returncode == 0, joined.stderr

    def sessions() -> int:
        """How many connections the machine's role has to the database."""
        role = urlsplit(other.received["database"]).username
        with psycopg.connect(deployment.postgres.url) as database:
            found = database.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", [role]).fetchone()
        return found[0] if found else 0

    join()
    other.lab.start()
    try:
        within(HEALED_S, lambda: "no engine" in row(webs[0], "lab5"))
        assert sessions() > 0
        assert webs[0].ask("POST", "/machines/lab5/revoke/").status == 302
        for server in webs:
            within(SEEN_S, lambda server=server: "revoked" in row(server, "lab5"))  # type: ignore[misc]
        within(SEEN_S, lambda: "NATS does not answer" in other.lab.output())
        assert sessions() == 0
        other.lab.stop()
        join()
        other.lab.start()
        within(HEALED_S, lambda: all("no engine" in row(server, "lab5") for server in webs))
        assert sessions() > 0
    finally:
        other.lab.stop()
        webs[0].ask("POST", "/machines/lab5/revoke/")
