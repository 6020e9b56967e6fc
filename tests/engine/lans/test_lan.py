"""Named LANs: what is refused, and how their hosts start, start again and are removed."""

from __future__ import annotations

import asyncio
import fcntl
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest

from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.registry import LanPlace, PrivateHost
from dashboard.engine.lans import lan as lans
from dashboard.engine.lans.lan import (
    Lan,
    create_lan,
    describe_problem,
    lans_of,
    list_lans,
    netem_refusal,
    remove_lan,
    start_lan_again,
)
from tests.support.polling import eventually

OFFICE = LanPlace("office")


@pytest.mark.parametrize(
    ("place", "hosts", "problem"),
    [
        (OFFICE, 2, ""),
        (replace(OFFICE, neighbours=4, mtu=9000, delay_ms=20, loss_percent=5), 8, ""),
        (replace(OFFICE, name="No spaces"), 2, "The name of a LAN has 1 to 20 lower-case letters"),
        (replace(OFFICE, name=""), 2, "The name of a LAN"),
        (OFFICE, 0, "The number of hosts must be from 1 to 8, not 0."),
        (OFFICE, 9, "The number of hosts must be from 1 to 8, not 9."),
        (replace(OFFICE, neighbours=0), 2, "The number of neighbours must be from 1 to 4, not 0."),
        (replace(OFFICE, mtu=576), 2, "The MTU must be from 1280 to 65535, not 576."),
        (replace(OFFICE, delay_ms=-1), 2, "The delay in milliseconds must be from 0 to 1000, not -1."),
        (replace(OFFICE, loss_percent=100), 2, "The loss in percent must be from 0 to 50, not 100."),
    ],
)
def test_an_invalid_lan_is_refused_with_a_sentence(place: LanPlace, hosts: int, problem: str) -> None:
    assert describe_problem(place, hosts).startswith(problem)
    assert bool(describe_problem(place, hosts)) is bool(problem)


def test_hosts_are_grouped_by_the_name_of_their_lan(tmp_path: Path) -> None:
    def host(identity: str, name: str, number: int) -> PrivateHost:
        return PrivateHost(identity, 1, 1, "", 1.0, tmp_path, 1, lan=LanPlace(name, number))

    found = lans_of([host("b", "office", 2), host("c", "", 1), host("a", "office", 1), host("d", "cellar", 1)])
    assert [(lan.name, [one.id for one in lan.hosts]) for lan in found] == [("cellar", ["d"]), ("office", ["a", "b"])]


def test_a_lan_of_ended_hosts_has_a_place_and_no_neighbours(tmp_path: Path) -> None:
    def host(identity: str, number: int) -> PrivateHost:
        return PrivateHost(identity, 1, 1, "", 1.0, tmp_path, 1, lan=LanPlace("office", number, hosts=3))

    (lan,) = lans_of([], [host("b", 2), host("a", 1)])
    assert ([one.id for one in lan.ended], lan.hosts) == (["a", "b"], ())
    assert (lan.place.hosts, lan.missing, lan.neighbours) == (3, 1, ())
    (lan,) = lans_of([host("c", 3)], [host("b", 2), host("a", 1)])
    assert ([one.id for one in lan.all_hosts], lan.missing) == (["c", "a", "b"], 0)


def files_in(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


def office_host(identity: str, number: int) -> PrivateHost:
    return PrivateHost(identity, 1, 1, "", 1.0, Path("/nowhere"), 1, lan=LanPlace("office", number))


async def test_the_hosts_of_a_lan_start_again_on_one_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, c = office_host("a", 1), office_host("b", 2), office_host("c", 3)
    started: list[tuple[str, str]] = []
    broken: set[str] = set()

    async def start(ended: PrivateHost, joined: PrivateHost | None) -> PrivateHost:
        started.append((ended.id, joined.id if joined else ""))
        if ended.id in broken:
            raise private_host.PrivateHostError(f"{ended.id} is damaged.")
        return ended

    async def start_office(*running: PrivateHost) -> None:
        started.clear()
        lan = Lan("office", running, tuple(host for host in (a, b, c) if host not in running))
        monkeypatch.setattr(lans, "list_lans", lambda _folder: (lan,))
        await start_lan_again(tmp_path, "office", start)

    await start_office(c)
    assert started == [("a", "c"), ("b", "c")], "c still holds the namespaces"
    await start_office()
    assert started == [("a", ""), ("b", "a"), ("c", "a")], "the first one creates them"
    broken.add("a")
    with pytest.raises(private_host.PrivateHostError, match="a is damaged"):
        await start_office()
    assert started == [("a", ""), ("b", ""), ("c", "b")], "the others start without it"
    started.clear()
    await start_lan_again(tmp_path, "removed", start)
    assert started == []


async def test_two_starters_of_a_lan_create_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The starters are the server, when it starts, and a command."""
    hosts = [office_host("a", 1), office_host("b", 2)]
    running: list[PrivateHost] = []
    started: list[tuple[str, str]] = []
    begun, proceed = asyncio.Event(), asyncio.Event()
    attempts: list[int] = []
    flock = fcntl.flock

    def look(_folder: Path) -> tuple[Lan, ...]:
        return (Lan("office", tuple(running), tuple(host for host in hosts if host not in running)),)

    async def start(host: PrivateHost, joined: PrivateHost | None) -> PrivateHost:
        started.append((host.id, joined.id if joined else ""))
        begun.set()
        await proceed.wait()
        running.append(host)
        return host

    def counted(file: IO[str], operation: int) -> None:
        attempts.append(operation)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", counted)
    monkeypatch.setattr(lans, "POLL_S", 0.01)
    monkeypatch.setattr(lans, "list_lans", look)
    server = asyncio.create_task(start_lan_again(tmp_path, "office", start))
    await begun.wait()
    command = asyncio.create_task(start_lan_again(tmp_path, "office", start))
    try:
        await eventually(lambda: len(attempts) > 2)
        assert started == [("a", "")]
    finally:
        proceed.set()
    await asyncio.gather(server, command)
    assert started == [("a", ""), ("b", "a")]


def test_a_kernel_without_netem_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lans, "NETEM", "echo 'Specified qdisc kind is unknown.' >&2; exit 2")
    refusal = netem_refusal()
    assert "(tc netem: Specified qdisc kind is unknown.)" in refusal
    assert refusal.endswith("leave out delay and loss.")
    monkeypatch.setattr(lans, "NETEM", "true")
    assert netem_refusal() == ""
    monkeypatch.setattr(lans, "NETEM", f"mkfifo {tmp_path}/empty; read nothing <> {tmp_path}/empty")
    monkeypatch.setattr(lans, "NETEM_TIMEOUT_S", 0.2)
    assert netem_refusal().startswith("tc netem did not answer within 0.2 s")


def test_a_lan_is_listed_while_its_first_host_ends(tmp_path: Path) -> None:
    host = PrivateHost("a", 1, 1, "", 1.0, tmp_path, 1, lan=LanPlace("office", 1, neighbours=2))
    folder = host.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "netns-neighbour").write_text("4026531840")
    (lan,) = lans_of([host])
    assert lan.neighbours == ((4026531840, ("192.0.2.10", "2001:db8::10")),)


async def test_two_commands_do_not_create_one_lan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[PrivateHost] = []
    begun, proceed = asyncio.Event(), asyncio.Event()

    async def start(*_: object, **__: object) -> PrivateHost:
        begun.set()
        await proceed.wait()
        made.append(office_host(f"host{len(made)}", 1))
        return made[-1]

    async def stop(host: PrivateHost) -> None:
        made.remove(host)

    monkeypatch.setattr(private_host, "start", start)
    monkeypatch.setattr(private_host, "stop", stop)
    monkeypatch.setattr(lans, "POLL_S", 0.01)
    monkeypatch.setattr(lans, "lan_hosts", lambda _folder: tuple(made))
    first = asyncio.create_task(create_lan(tmp_path, OFFICE, 1))
    await begun.wait()
    assert files_in(tmp_path) == ["lan-office.lock"]
    second = asyncio.create_task(create_lan(tmp_path, OFFICE, 1))
    await remove_lan(tmp_path, Lan("cellar", ()))  # another LAN does not wait
    proceed.set()
    lan = await first
    with pytest.raises(private_host.PrivateHostError, match="The LAN office already exists"):
        await second
    assert [host.id for host in made] == ["host0"], "the second one has started nothing"
    await remove_lan(tmp_path, lan)
    assert made == []
    assert files_in(tmp_path) == [], "the file of the lock is removed"


async def test_a_removal_waits_until_the_hosts_have_been_started_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ended = office_host("a", 1)
    events: list[str] = []
    begun, proceed = asyncio.Event(), asyncio.Event()

    async def start(host: PrivateHost, _joined: PrivateHost | None) -> PrivateHost:
        begun.set()
        await proceed.wait()
        events.append("started")
        return host

    async def stop(_host: PrivateHost) -> None:
        events.append("stopped")

    attempts: list[int] = []
    flock = fcntl.flock

    def counted(file: IO[str], operation: int) -> None:
        attempts.append(operation)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", counted)
    monkeypatch.setattr(private_host, "stop", stop)
    monkeypatch.setattr(lans, "POLL_S", 0.01)
    monkeypatch.setattr(lans, "list_lans", lambda _folder: (Lan("office", (), (ended,)),))
    (tmp_path / "lan-office.lock").touch()  # of a process that was killed
    starting = asyncio.create_task(start_lan_again(tmp_path, "office", start))
    await begun.wait()
    removing = asyncio.create_task(remove_lan(tmp_path, Lan("office", (), (ended,))))
    await eventually(lambda: len(attempts) > 2)
    proceed.set()
    await asyncio.gather(starting, removing)
    assert events == ["started", "stopped"]
    assert files_in(tmp_path) == []


async def test_a_removal_also_removes_the_hosts_that_were_created_while_it_waited(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: list[PrivateHost] = []
    proceed = asyncio.Event()

    async def start(_folder: Path, *, lan: LanPlace, **_more: object) -> PrivateHost:
        if lan.number == 3:
            await proceed.wait()
        made.append(office_host(f"host{lan.number}", lan.number))
        return made[-1]

    async def stop(host: PrivateHost) -> None:
        made.remove(host)

    monkeypatch.setattr(private_host, "start", start)
    monkeypatch.setattr(private_host, "stop", stop)
    monkeypatch.setattr(lans, "POLL_S", 0.01)
    monkeypatch.setattr(lans, "lan_hosts", lambda _folder: tuple(made))
    creating = asyncio.create_task(create_lan(tmp_path, OFFICE, 3))
    await eventually(lambda: len(made) == 2)
    (seen,) = list_lans(tmp_path)
    removing = asyncio.create_task(remove_lan(tmp_path, seen))
    proceed.set()
    assert len((await creating).hosts) == 3
    await removing
    assert made == []


async def test_a_removal_leaves_a_later_lan_with_the_same_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stopped: list[str] = []

    async def stop(host: PrivateHost) -> None:
        stopped.append(host.id)

    monkeypatch.setattr(private_host, "stop", stop)
    monkeypatch.setattr(lans, "list_lans", lambda _folder: (Lan("office", (office_host("new", 1),)),))
    await remove_lan(tmp_path, Lan("office", (office_host("old", 1),)))
    assert stopped == ["old"]


async def test_a_cancellation_does_not_interrupt_a_removal_that_has_begun(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun, proceed = asyncio.Event(), asyncio.Event()
    stopped: list[str] = []

    async def stop(host: PrivateHost) -> None:
        begun.set()
        await proceed.wait()
        stopped.append(host.id)

    monkeypatch.setattr(private_host, "stop", stop)
    removing = asyncio.create_task(remove_lan(tmp_path, Lan("office", (office_host("a", 1),))))
    await begun.wait()
    removing.cancel()
    proceed.set()
    with pytest.raises(asyncio.CancelledError):
        await removing
    assert stopped == ["a"]
    assert files_in(tmp_path) == []


async def test_the_hosts_of_a_swarm_start_before_the_first_one_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first one answers only when the others have started, too."""
    started: list[tuple[str, int]] = []
    all_started = asyncio.Event()

    async def start(host: PrivateHost, joined: PrivateHost | None) -> PrivateHost:
        started.append((host.id, joined.pid if joined else 0))
        if len(started) == 3:
            all_started.set()
        await all_started.wait()
        return host

    ended = tuple(office_host(identity, number) for number, identity in enumerate("abc", 1))
    monkeypatch.setattr(lans, "list_lans", lambda _folder: (Lan("office", (), ended),))
    monkeypatch.setattr(lans, "find_daemon", lambda _endpoint: 7)
    monkeypatch.setattr(lans, "processes", lambda name: [7] if name == "netmodes-a" else [])
    async with asyncio.timeout(10):
        await start_lan_again(tmp_path, "office", start)
    assert started == [("a", 0), ("b", 7), ("c", 7)]
