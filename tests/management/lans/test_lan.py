"""``./netmodes lan``: private hosts and neighbours on one LAN."""

from __future__ import annotations

import asyncio
import fcntl
from pathlib import Path
from typing import IO

import pytest

from dashboard import configuration
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.cleanup import kill_everything
from dashboard.engine.hosts.registry import LanPlace, PrivateHost
from dashboard.engine.lans.lan import Lan, netem_refusal
from dashboard.management.commands import lan as command
from tests.support.polling import DEADLINE_S, eventually
from tests.support.private_engine import share_lab_image
from tests.support.terminal import Terminal, run_here


@pytest.mark.engine
def test_a_lan_is_created_listed_and_removed(nowhere: Terminal) -> None:
    share_lab_image(nowhere.folder)
    made = nowhere.run("lan", "create", "office", "--hosts", "2", "--neighbours", "1", "--json")
    assert made.code == 0, made.err
    assert made.json["schema"] == "lans/1"
    (lan,) = made.json["lans"]
    assert (lan["name"], lan["mtu"]) == ("office", 1500)
    assert [host["addresses"][0] for host in lan["hosts"]] == ["192.0.2.2", "192.0.2.3"]
    assert lan["neighbours"] == [lan["hosts"][0]["neighbour"]]
    assert nowhere.run("lan", "list", "--json").json == made.json
    text = nowhere.run("lan", "list").out
    assert f"192.0.2.3  host {lan['hosts'][1]['id']}  DOCKER_HOST=unix://" in text
    for host in lan["hosts"]:
        assert host["running"]
        kill_everything(f"netmodes-{host['id']}")
    assert [host["running"] for host in nowhere.run("lan", "list", "--json").json["lans"][0]["hosts"]] == [False] * 2
    assert f"192.0.2.2  host {lan['hosts'][0]['id']}  ended" in nowhere.run("lan", "list").out
    assert "have ended: run" in nowhere.run("lan", "swarm", "office").err
    nowhere.run("reap")
    started = nowhere.run("lan", "start", "office", "--json")
    assert started.code == 0, started.err
    assert [(one["id"], one["running"]) for one in started.json["lans"][0]["hosts"]] == [
        (host["id"], True) for host in lan["hosts"]
    ]
    again = nowhere.run("lan", "create", "office")
    assert (again.code, "The LAN office already exists" in again.err) == (1, True)
    removed = nowhere.run("lan", "remove", "office", "--json")
    assert removed.json == {"schema": "lans/1", "lans": [{"name": "office"}]}
    assert nowhere.run("hosts", "list", "--json").json["hosts"] == []
    assert not list((nowhere.folder / "hosts").glob("*"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("create", "Big Office"), 2, "The name of a LAN has 1 to 20 lower-case letters"),
        (("create", "office", "--hosts", "99"), 2, "The number of hosts must be from 1 to 8, not 99."),
        (("create", "office", "--mtu", "5"), 2, "The MTU must be from 1280 to 65535, not 5."),
        (("remove",), 2, "Name the LANs to remove, or use --all."),
        (("remove", "nothing"), 1, "Unknown LAN nothing. "),
        (("start", "nothing"), 1, "Unknown LAN nothing. "),
    ],
)
def test_wrong_usage_is_answered_with_a_sentence(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = run_here(capsys, "lan", *arguments)
    assert done.code == code
    assert message in done.err
    assert "Traceback" not in done.err


async def test_a_removal_that_waits_for_another_command_can_be_interrupted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host = PrivateHost("a", 1, 1, "", 1.0, Path("/nowhere"), 1, lan=LanPlace("office"))
    stopped: list[str] = []

    async def stop(one: PrivateHost) -> None:
        stopped.append(one.id)

    attempts: list[int] = []
    flock = fcntl.flock

    def counted(file: IO[str], operation: int) -> None:
        attempts.append(operation)
        flock(file, operation)

    monkeypatch.setattr(private_host, "stop", stop)
    monkeypatch.setattr(configuration, "data_dir", lambda: tmp_path)
    monkeypatch.setattr(command, "list_lans", lambda _folder: (Lan("office", (host,)),))
    with (tmp_path / "lan-office.lock").open("w") as lock:
        flock(lock, fcntl.LOCK_EX)
        monkeypatch.setattr(fcntl, "flock", counted)
        removing = asyncio.create_task(command.Command()._remove({"names": ["office"], "all": False}))
        await eventually(lambda: bool(attempts))
        removing.cancel()
        ended, _ = await asyncio.wait([removing], timeout=DEADLINE_S)
    assert ended == {removing}
    assert removing.cancelled()
    assert stopped == []


@pytest.mark.engine
def test_delay_is_refused_where_the_kernel_has_no_netem(nowhere: Terminal) -> None:
    if not netem_refusal():
        pytest.skip("this kernel has netem")
    done = nowhere.run("lan", "create", "slow", "--delay", "5")
    assert done.code == 1
    assert "This kernel cannot delay or lose packets" in done.err
