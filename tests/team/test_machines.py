"""A machine joins a team deployment: it is seen, launched on and lost, and classes work on its hosts."""

from __future__ import annotations

import asyncio
import os
import re
import select
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from websockets.asyncio.client import connect

from dashboard.bench.operations.postgres_nats import Service
from dashboard.bench.operations.team_deployment import TeamDeployment
from dashboard.bench.processes import BASE, with_death_signal
from dashboard.bench.server import Server
from dashboard.bench.training.deliveries import Instructor
from dashboard.bench.websocket_clients import Client
from tests.team.machine import ABSENT_S, HEALED_S, SEEN_S, Machine, containers, head, hosts, row, token, within

#: A deadline for the start of private hosts while other tests start some, too.
HOST_S = 60.0
pytestmark = pytest.mark.engine


def test_a_machine_is_seen_with_its_facts(lab2: Machine, webs: list[Server]) -> None:
    for server in webs:
        within(SEEN_S, lambda server=server: "connected" in row(server, "lab2"))  # type: ignore[misc]
        shown = row(server, "lab2")
        assert "rack=7" in shown
        assert os.uname().release in shown
        assert re.search(r"\d s ago", shown)
    within(SEEN_S, lambda: "Engine" in row(webs[0], "lab2"))
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
    # The call reaches the lab that drives the experiment. For some seconds after its machine has joined again, calls
    # are refused.
    within(HEALED_S, lambda: webs[0].ask("POST", f"/experiments/{identity}/try/").status == 200)
    with psycopg.connect(deployment.postgres.url) as database:
        machine = database.execute("SELECT machine_id FROM dashboard_experiment WHERE id = %s", [identity]).fetchone()
    assert machine == ("lab2",)
    assert webs[1].ask("POST", f"/experiments/{identity}/stop/").status == 302
    within(HEALED_S, lambda: head(webs[1], identity)["phase"] == "stopped")


@pytest.mark.slow
def test_a_machine_that_is_lost_and_returns_adopts_its_containers(lab2: Machine, webs: list[Server]) -> None:
    identity = _launched_on_lab2(webs)
    before = containers(webs[0], identity)
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
    assert containers(webs[1], identity) == before, "the containers were adopted"
    assert webs[1].ask("POST", f"/experiments/{identity}/stop/").status == 302
    within(HEALED_S, lambda: head(webs[1], identity)["phase"] == "stopped")


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
    within(HEALED_S, lambda: head(webs[0], identity)["phase"] == "running")
    return identity


@pytest.mark.slow
def test_a_second_lab_of_the_machine_waits(lab2: Machine, deployment: TeamDeployment) -> None:
    copy = deployment.folder / "copy"
    copy.mkdir(mode=0o700)
    (copy / "machine.json").write_bytes((lab2.folder / "machine.json").read_bytes())
    sentence = "Another lab drives the experiments of this machine lab2. This lab waits until the other one ends."
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
def test_only_one_of_two_machines_with_one_name_joins(webs: list[Server], tmp_path: Path) -> None:
    """The lab may hold a lock on a table meanwhile."""
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
    """The permissions of the machine's role suffice for hosts, steps run with a button, checks and terminals."""
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
            found = database.execute(
                "SELECT machine_id, state FROM dashboard_grouphost WHERE session_id = %s", [session]
            ).fetchall()
        assert found == [("lab2", "ready")] * 2
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
    await asyncio.to_thread(within, HEALED_S, lambda: not hosts(deployment))


def _passed(deployment: TeamDeployment) -> int:
    """The number of steps that participants have passed."""
    with psycopg.connect(deployment.postgres.url) as database:
        found = database.execute("SELECT count(*) FROM dashboard_workshopstep WHERE passed_at > 0").fetchone()
    return found[0] if found else 0
