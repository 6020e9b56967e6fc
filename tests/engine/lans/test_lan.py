"""Named LANs: what is refused, and hosts on one LAN on the real machine."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest

from dashboard.core.training.capacity import HostLimits
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.cleanup import kill_everything
from dashboard.engine.hosts.limits import read_cpus
from dashboard.engine.hosts.neighbour import neighbour_path
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
    stop_hosts,
)
from dashboard.netns.namespace import Namespace
from dashboard.netns.request import request
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine, load_lab_image

OFFICE = LanPlace("office")


@pytest.mark.parametrize(
    ("place", "hosts", "problem"),
    [
        (OFFICE, 2, ""),
        (replace(OFFICE, neighbours=4, mtu=9000, delay_ms=20, loss_percent=5), 8, ""),
        (replace(OFFICE, name="No spaces"), 2, "The name of a LAN has 1 to 20 lower-case letters"),
        (replace(OFFICE, name=""), 2, "The name of a LAN"),
        (OFFICE, 0, "The hosts of a LAN: from 1 to 8, not 0."),
        (OFFICE, 9, "The hosts of a LAN: from 1 to 8, not 9."),
        (replace(OFFICE, neighbours=0), 2, "The neighbours of a LAN: from 1 to 4, not 0."),
        (replace(OFFICE, mtu=576), 2, "The MTU of a LAN: from 1280 to 65535, not 576."),
        (replace(OFFICE, delay_ms=-1), 2, "The delay in milliseconds of a LAN: from 0 to 1000, not -1."),
        (replace(OFFICE, loss_percent=100), 2, "The loss in percent of a LAN: from 0 to 50, not 100."),
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
    """The server, when it starts, and the command line."""
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


async def test_a_removal_leaves_a_lan_that_has_the_name_since_then(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
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


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder; at the end its hosts are removed."""
    folder = tmp_path_factory.mktemp("lans")
    yield folder
    asyncio.run(private_host.stop_all(folder))


@pytest.fixture(scope="module")
def lan(data_dir: Path) -> Lan:
    """Two hosts and two neighbours."""
    return asyncio.run(create_lan(data_dir, replace(OFFICE, neighbours=2, mtu=1400), 2))


def machines(lan: Lan, data_dir: Path) -> list[PrivateEngine]:
    return [PrivateEngine(host, data_dir) for host in lan.hosts]


@pytest.mark.engine
def test_hosts_and_neighbours_are_on_one_link(lan: Lan, data_dir: Path) -> None:
    assert list_lans(data_dir) == (lan,)
    one, two = machines(lan, data_dir)
    assert [host.lan.addresses[0] for host in lan.hosts] == ["192.0.2.2", "192.0.2.3"]
    for machine, address in ((one, "192.0.2.2"), (two, "192.0.2.3")):
        shown = machine.on_machine("ip", "address", "show", "eth0")
        assert f"inet {address}/24" in shown
        assert "mtu 1400" in shown
    link = one.on_machine("ip", "-o", "link", "show", "eth0").partition("link/ether ")[2].split()[0]
    two.try_on_machine("curl", "-s", "-m1", "http://192.0.2.2:9/")
    assert link in two.on_machine("ip", "neigh", "show", "192.0.2.2")
    assert len({netns for netns, _addresses in lan.neighbours}) == 2
    # Both hosts name the same neighbour.
    for host in lan.hosts:
        with Namespace.of_path_inside(host.pid, neighbour_path(host.endpoint)) as namespace:
            assert namespace.inode == lan.neighbours[0][0]


@pytest.mark.engine
def test_a_container_reaches_the_published_port_of_one_on_another_host(lan: Lan, data_dir: Path) -> None:
    one, two = machines(lan, data_dir)

    async def prepare() -> None:
        await asyncio.gather(*(load_lab_image(host) for host in lan.hosts))

    asyncio.run(prepare())
    two.docker("run", "-d", "-p", "8080:80", "nginx")
    client = one.docker("run", "-d", "nginx").strip()

    async def answers() -> bool:
        command = ("exec", client, "busybox", "wget", "-qO-", "http://192.0.2.3:8080/")
        done = await asyncio.to_thread(one.try_docker, *command)
        # The other host's container sees the first host: it masquerades its container.
        return "from 192.0.2.2." in done.stdout

    asyncio.run(eventually(answers))

    async def from_neighbour() -> str | None:
        host = lan.hosts[1]
        with Namespace.of_path_inside(host.pid, neighbour_path(host.endpoint)) as namespace:
            return (await request(namespace, "192.0.2.3", 8080)).body_start

    assert "from 192.0.2.10." in (asyncio.run(from_neighbour()) or "")


@pytest.mark.engine
def test_the_lan_lasts_as_long_as_one_of_its_hosts(data_dir: Path) -> None:
    created = asyncio.run(create_lan(data_dir, LanPlace("cellar"), 2, HostLimits(cpus=0.5)))
    first, second = created.hosts
    assert [read_cpus(host.name) for host in created.hosts] == [0.5, 0.5]

    async def reached() -> str:
        with Namespace.of_path_inside(second.pid, neighbour_path(second.endpoint)) as namespace:
            return (await request(namespace, "192.0.2.3", 9)).error or ""

    asyncio.run(stop_hosts([first]))
    assert "refused" in asyncio.run(reached()), "the second host still answers its neighbour"
    (left,) = [lan for lan in list_lans(data_dir) if lan.name == "cellar"]
    assert ([host.id for host in left.hosts], left.missing, created.missing) == ([second.id], 1, 0)
    asyncio.run(stop_hosts([second]))
    assert all(lan.name != "cellar" for lan in list_lans(data_dir))


@pytest.mark.engine
def test_the_hosts_of_a_lan_that_have_ended_keep_their_files_and_start_again_on_one_lan(tmp_path: Path) -> None:
    limits = HostLimits(cpus=0.5)
    created = asyncio.run(create_lan(tmp_path, LanPlace("attic"), 2, limits))

    async def start(host: PrivateHost, joined: PrivateHost | None) -> PrivateHost:
        return await private_host.start_again(host, joined=joined)

    def start_ended() -> Lan:
        asyncio.run(private_host.adopt(tmp_path))  # what a server does when it starts
        assert [lan.name for lan in list_lans(tmp_path)] == ["attic"]
        asyncio.run(start_lan_again(tmp_path, "attic", start))
        (found,) = list_lans(tmp_path)
        return found

    async def both_answer(lan: Lan) -> None:
        """Each host answers the neighbour that the other one names."""
        for seen_from, other in (lan.hosts, lan.hosts[::-1]):
            with Namespace.of_path_inside(seen_from.pid, neighbour_path(seen_from.endpoint)) as namespace:
                for address in other.lan.addresses:
                    assert "refused" in ((await request(namespace, address, 9)).error or "")

    try:
        # As when the machine is restarted: nothing is left but files.
        for host in created.hosts:
            kill_everything(host.name)
        again = start_ended()
        assert [host.id for host in again.hosts] == [host.id for host in created.hosts]
        assert len(again.neighbours) == 1
        assert [(host.limits, read_cpus(host.name)) for host in again.hosts] == [(limits, 0.5)] * 2
        asyncio.run(both_answer(again))
        # One of them: the other holds the namespaces.
        first, second = again.hosts
        kill_everything(first.name)
        joined = start_ended()
        assert [host.id for host in joined.hosts] == [first.id, second.id]
        assert (joined.hosts[1], joined.neighbours) == (second, again.neighbours)
        asyncio.run(both_answer(joined))
        asyncio.run(stop_hosts(joined.all_hosts))
        assert list_lans(tmp_path) == ()
    finally:
        asyncio.run(private_host.stop_all(tmp_path))
