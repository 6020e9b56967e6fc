"""A machine joins a team deployment: it is seen, launched on, confined to its own subjects and rows, and revoked."""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from nats.aio.client import Client as NatsClient
from websockets.asyncio.client import connect

from dashboard.bench.operations.postgres_nats import Service
from dashboard.bench.operations.team_deployment import TeamDeployment
from dashboard.bench.processes import BASE, with_death_signal
from dashboard.bench.server import Server
from dashboard.bench.training.deliveries import Instructor
from dashboard.bench.websocket_clients import Client
from tests.support.polling import until
from tests.team.machine import ABSENT_S, HEALED_S, SEEN_S, Machine, row, token

#: The start of private hosts while other tests start some, too.
HOST_S = 60.0
pytestmark = pytest.mark.engine


def within(seconds: float, met: Callable[[], Any]) -> None:
    """Waits for a condition that has to be met in this time."""
    until(met, seconds)


def test_a_machine_is_seen_with_its_facts(lab2: Machine, webs: list[Server]) -> None:
    for server in webs:
        within(SEEN_S, lambda server=server: "connected" in row(server, "lab2"))  # type: ignore[misc]
        shown = row(server, "lab2")
        assert "rack=7" in shown
        assert os.uname().release in shown
        assert re.search(r"\d s ago", shown)
    within(15.0, lambda: "Engine" in row(webs[0], "lab2"))
    doctor = webs[1].ask("GET", "/doctor/?machine=lab2").data.decode()
    assert "26.1" in doctor
    assert "engine and kernel of lab2" in doctor
    assert webs[1].ask("GET", "/doctor/?machine=lab9").status == 404
    assert 'netmodes_machine_up{machine="lab2"} 1.0' in webs[0].ask("GET", "/metrics").data.decode()
    assert (lab2.folder / "machine.json").stat().st_mode & 0o777 == 0o600


def test_a_name_in_use_is_refused_in_a_sentence(lab2: Machine, webs: list[Server], tmp_path: Path) -> None:
    other = Machine("lab3", tmp_path / "lab3", "unix:///nowhere")
    refused = other.join(token(webs[0]), "--name", "lab2")
    assert "has already joined" in refused.stderr
    assert refused.returncode != 0
    assert not (other.folder / "machine.json").exists()


@pytest.mark.slow
def test_a_wrong_used_revoked_or_expired_token_is_refused_in_a_sentence(
    deployment: TeamDeployment, lab2: Machine, webs: list[Server], tmp_path: Path
) -> None:
    other = Machine("lab3", tmp_path / "lab3", "unix:///nowhere")
    good = token(webs[0])
    for sentence, token_text, name in (
        ("has already joined", good, "lab2"),
        ("not valid", good[:-8] + "AAAAAAAA", "lab3"),
        ("This is not a token", "abc", "lab3"),
        ("Cannot reach", _unreachable(), "lab3"),
        ("reserved", good, "server"),
    ):
        refused = other.join(token_text, "--name", name)
        assert refused.stderr.count(sentence) == 1, refused.stderr
        assert refused.returncode != 0
        assert "Traceback" not in refused.stderr
    page = webs[0].ask("GET", "/machines/").data.decode()
    revoked = re.findall(r"/machines/tokens/(\w+)/revoke/", page)[0]
    assert webs[0].ask("POST", f"/machines/tokens/{revoked}/revoke/").status == 302
    assert "was revoked" in other.join(good, "--name", "lab3").stderr
    expired, used = token(webs[1]), token(webs[1])
    with psycopg.connect(deployment.postgres.url, autocommit=True) as database:
        newest = "SELECT id FROM dashboard_jointoken ORDER BY created_at DESC"
        for column, offset in (("used_at", 0), ("expires_at", 1)):
            database.execute(
                f"UPDATE dashboard_jointoken SET {column} = 1 WHERE id = ({newest} OFFSET {offset} LIMIT 1)"  # noqa: S608
            )
    assert "has already been used" in other.join(used, "--name", "lab3").stderr
    assert "has expired" in other.join(expired, "--name", "lab3").stderr
    assert not (other.folder / "machine.json").exists()


def _unreachable() -> str:
    from dashboard.core.operations.machines import with_address

    return with_address("http://127.0.0.1:1", "x")


def test_an_experiment_runs_on_the_chosen_machine_only(
    lab2: Machine, webs: list[Server], deployment: TeamDeployment
) -> None:
    identity = _launched_on_lab2(webs)
    page = webs[0].ask("GET", f"/experiments/{identity}/").data.decode()
    assert "on lab2" in page
    # The call reaches the lab that drives it. For some seconds after a machine has joined again it is refused.
    within(HEALED_S, lambda: webs[0].ask("POST", f"/experiments/{identity}/try/").status == 200)
    with psycopg.connect(deployment.postgres.url) as database:
        machine = database.execute("SELECT machine_id FROM dashboard_experiment WHERE id = %s", [identity]).fetchone()
    assert machine == ("lab2",)
    assert webs[1].ask("POST", f"/experiments/{identity}/stop/").status == 302
    within(HEALED_S, lambda: _head(webs[1], identity)["phase"] == "stopped")


@pytest.mark.slow
def test_a_machine_that_is_lost_and_returns_adopts_its_containers(lab2: Machine, webs: list[Server]) -> None:
    identity = _launched_on_lab2(webs)
    before = _containers(webs[0], identity)
    lab2.lab.kill()
    started = time.monotonic()
    within(ABSENT_S, lambda: "absent" in row(webs[0], "lab2"))
    assert time.monotonic() - started > 3.0, "one lost heartbeat is no loss"
    assert "on lab2, which does not respond" in webs[0].ask("GET", f"/experiments/{identity}/").data.decode()
    refused = webs[0].ask("POST", f"/experiments/{identity}/try/")
    assert refused.status == 409
    assert "machine lab2 does not respond" in refused.data.decode()
    lab2.lab.start()
    within(HEALED_S, lambda: "connected" in row(webs[1], "lab2"))
    within(HEALED_S, lambda: webs[1].ask("POST", f"/experiments/{identity}/try/").status == 200)
    assert _containers(webs[1], identity) == before, "the containers were adopted"
    assert webs[1].ask("POST", f"/experiments/{identity}/stop/").status == 302
    within(HEALED_S, lambda: _head(webs[1], identity)["phase"] == "stopped")


def _launched_on_lab2(webs: list[Server]) -> str:
    """The id of a running experiment on lab2."""
    within(HEALED_S, lambda: "lab2" in webs[1].ask("GET", "/").data.decode())
    launched = webs[1].ask(
        "POST",
        "/experiments/",
        {"host": "@lab2", "image": "nginx", "port": "80", "mode": "none", "publish": ""},
    )
    assert launched.status == 302, launched.data.decode()[-3000:]
    identity = launched.headers["location"].split("/")[2]
    within(HEALED_S, lambda: _head(webs[0], identity)["phase"] == "running")
    return identity


def _snapshot(server: Server, identity: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.ask("GET", f"/api/experiments/{identity}").data)
    return found


def _head(server: Server, identity: str) -> dict[str, Any]:
    head: dict[str, Any] = _snapshot(server, identity)["experiment"]
    return head


def _containers(server: Server, identity: str) -> list[str]:
    return [one["container"]["id"] for one in _snapshot(server, identity)["columns"] if one["container"]]


@pytest.mark.slow
def test_a_second_lab_of_the_machine_waits(lab2: Machine, deployment: TeamDeployment) -> None:
    copy = deployment.folder / "copy"
    copy.mkdir(mode=0o700)
    (copy / "machine.json").write_bytes((lab2.folder / "machine.json").read_bytes())
    sentence = "Another lab drives the experiments of this machine lab2: this one waits until it ends."
    second = Service(
        "copy-lab",
        deployment.folder,
        with_death_signal([sys.executable, "manage.py", "lab"]),
        lambda: sentence in second.output(),
        environment={**lab2.environment, "NETMODES_DATA_DIR": str(copy)},
        cwd=BASE,
    )
    second.start()
    second.stop()


def test_a_machine_that_drains_is_not_offered(lab2: Machine, webs: list[Server]) -> None:
    assert webs[0].ask("POST", "/machines/lab2/drain/").status == 302
    within(SEEN_S, lambda: "draining" in row(webs[1], "lab2"))
    assert "?host=@lab2" not in webs[1].ask("GET", "/").data.decode()
    assert webs[0].ask("POST", "/machines/lab2/undrain/").status == 302
    within(SEEN_S, lambda: "connected" in row(webs[1], "lab2"))


@pytest.mark.slow
def test_of_two_machines_with_one_name_one_joins(webs: list[Server], tmp_path: Path) -> None:
    """Also while the lab holds a lock on a table."""
    copies = [Machine("twin", tmp_path / f"twin{number}", "unix:///nowhere") for number in range(2)]
    tokens = [token(webs[number]) for number in range(2)]
    with ThreadPoolExecutor(2) as pool:
        joined = list(pool.map(lambda copy, text: copy.join(text, "--name", "twin"), copies, tokens))
    assert sorted(done.returncode for done in joined) == [0, 1], [done.stderr for done in joined]
    assert sum("has already joined" in done.stderr for done in joined) == 1
    received = next(copy.received for copy in copies if (copy.folder / "machine.json").exists())
    with psycopg.connect(received["database"]) as database:
        assert database.execute("SELECT name FROM dashboard_machine").fetchall() == [("twin",)]
    assert webs[0].ask("POST", "/machines/twin/revoke/").status == 302


@pytest.mark.slow
async def test_a_class_works_on_hosts_of_the_machine(
    lab2: Machine, webs: list[Server], deployment: TeamDeployment
) -> None:
    """With the permissions of its role: hosts, a step that is run with a button, checks, terminals."""
    wanted = {"title": "Far", "workshop": "host-network", "max_participants": "2", "hours": "1", "hosts": "person"}
    await asyncio.to_thread(within, HEALED_S, lambda: "connected" in row(webs[0], "lab2"))
    await asyncio.to_thread(deployment.lab.stop)  # all hosts are placed on the machine
    people = [Client(webs[0].host, number=number) for number in (1, 2)]
    passed = await asyncio.to_thread(_passed, deployment)
    instructor: Instructor | None = None
    try:
        made = await asyncio.to_thread(webs[0].ask, "POST", "/sessions/new/", wanted | {"terminal": "on"})
        assert made.status == 302, made.data.decode()[-3000:]
        session = made.headers["location"].split("/")[2]
        console = (await asyncio.to_thread(webs[0].ask, "GET", f"/sessions/{session}/console/")).data.decode()
        code, key = re.findall(r"code=([0-9A-Z]{8})&amp;key=([\w-]+)", console)[0]
        instructor = Instructor(webs[0], session, code, key)
        await asyncio.to_thread(instructor.steer, "step", step="launch")
        step = f"/sessions/{session}/steps/launch"
        for person in people:
            await person.join(code, key)
            assert (await person.ask("POST", f"{step}/opened/", {}))[0] == 204
            await person.predict("launch")
        async with asyncio.timeout(HOST_S):
            for person in people:
                while (await person.ask("POST", f"{step}/run/", {"number": "0"}))[0] == 409:
                    await asyncio.to_thread(select.select, [], [], [], 0.3)  # until the host is ready
        async with asyncio.timeout(HEALED_S):
            while await asyncio.to_thread(_passed, deployment) < passed + len(people):
                for person in people:
                    assert (await person.ask("POST", f"{step}/check/", {}))[0] == 200
                await asyncio.to_thread(select.select, [], [], [], 0.3)
        with psycopg.connect(deployment.postgres.url) as database:
            hosts = database.execute(
                "SELECT machine_id, state FROM dashboard_grouphost WHERE session_id = %s", [session]
            ).fetchall()
        assert hosts == [("lab2", "ready")] * 2
        url = f"ws://{webs[1].host}/ws/sessions/{session}/terminal/?cols=80&rows=24"
        headers = people[0].headers()
        async with connect(url, origin=f"http://{webs[1].host}", additional_headers=headers, proxy=None) as window:  # type: ignore[arg-type]
            await window.send(b"docker ps --format '{{.Names}}' | head -c 3; echo $((6*7))\n")
            printed = b""
            async with asyncio.timeout(HEALED_S):
                while b"web42" not in printed.replace(b"\r\n", b""):
                    frame = await window.recv()
                    printed += frame[8:] if isinstance(frame, bytes) else b""
    finally:
        for person in people:
            person.close()
        if instructor is not None:
            await asyncio.to_thread(instructor.steer, "close")
        deployment.lab.start()  # in this thread: the process ends with the thread that started it
    await asyncio.to_thread(within, HEALED_S, lambda: not _hosts(deployment))


def _passed(deployment: TeamDeployment) -> int:
    """How many steps participants have passed."""
    with psycopg.connect(deployment.postgres.url) as database:
        found = database.execute("SELECT count(*) FROM dashboard_workshopstep WHERE passed_at > 0").fetchone()
    return found[0] if found else 0


def _hosts(deployment: TeamDeployment) -> list[Any]:
    """Hosts of groups that have not ended."""
    with psycopg.connect(deployment.postgres.url) as database:
        return database.execute("SELECT host FROM dashboard_grouphost WHERE host <> ''").fetchall()


#: What another machine, the installation's lab, web processes and the server itself may use.
FORBIDDEN_TO_SAY = (
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
FORBIDDEN_TO_HEAR = (
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
    await client.connect(lab2.received["nats"], error_cb=note, allow_reconnect=False)
    try:
        own = ("netmodes.web.journal.lab2", "netmodes.web.reply.lab2.nobody.1")
        for subject in (*own, *FORBIDDEN_TO_SAY):
            await client.publish(subject, b"[]")
        for subject in ("netmodes.lab.call.lab2.test.>", "netmodes.lab.wakeup", *FORBIDDEN_TO_HEAR):
            await client.subscribe(subject)
        await client.flush()
        async with asyncio.timeout(20):
            while len(errors) < len(FORBIDDEN_TO_SAY) + len(FORBIDDEN_TO_HEAR):
                await client.flush()
    finally:
        await client.close()
    refused = {match[1] for error in errors if (match := re.search(r'to "(.*)"', error))}
    assert len(FORBIDDEN_TO_SAY) + len(FORBIDDEN_TO_HEAR) >= 30
    assert refused == {subject.lower() for subject in (*FORBIDDEN_TO_SAY, *FORBIDDEN_TO_HEAR)}


async def is_refused(url: str) -> None:
    client = NatsClient()
    with pytest.raises(Exception, match=r"(?i)authorization"):
        await client.connect(url, allow_reconnect=False)
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

    await client.connect(url, closed_cb=on_closed, allow_reconnect=False)
    assert (await asyncio.to_thread(webs[0].ask, "POST", "/machines/lab4/revoke/")).status == 302
    await asyncio.wait_for(closed.wait(), 20)
    await is_refused(url)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(database)
    for server in webs:
        assert "revoked" in await asyncio.to_thread(row, server, "lab4")
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
