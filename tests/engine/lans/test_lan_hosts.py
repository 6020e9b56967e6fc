"""Hosts and neighbours on one LAN on the real machine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.core.training.capacity import HostLimits
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.cleanup import kill_everything
from dashboard.engine.hosts.limits import read_cpus
from dashboard.engine.hosts.neighbour import neighbour_path
from dashboard.engine.hosts.registry import LanPlace, PrivateHost
from dashboard.engine.lans.lan import Lan, create_lan, list_lans, start_lan_again, stop_hosts
from dashboard.netns.namespace import Namespace
from dashboard.netns.request import request
from tests.support.polling import DEADLINE_S, eventually
from tests.support.private_engine import PrivateEngine, load_lab_image

OFFICE = LanPlace("office")


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
    two.try_on_machine("curl", "-s", "-m20", "http://192.0.2.2:9/")
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
            return (await request(namespace, "192.0.2.3", 8080, timeout_s=DEADLINE_S)).body_start

    assert "from 192.0.2.10." in (asyncio.run(from_neighbour()) or "")


@pytest.mark.engine
def test_the_lan_lasts_as_long_as_one_of_its_hosts(data_dir: Path) -> None:
    created = asyncio.run(create_lan(data_dir, LanPlace("cellar"), 2, HostLimits(cpus=0.5)))
    first, second = created.hosts
    assert [read_cpus(host.name) for host in created.hosts] == [0.5, 0.5]

    async def reached() -> str:
        with Namespace.of_path_inside(second.pid, neighbour_path(second.endpoint)) as namespace:
            return (await request(namespace, "192.0.2.3", 9, timeout_s=DEADLINE_S)).error or ""

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
        """Checks that each host answers the neighbour of the other host."""
        for seen_from, other in (lan.hosts, lan.hosts[::-1]):
            with Namespace.of_path_inside(seen_from.pid, neighbour_path(seen_from.endpoint)) as namespace:
                for address in other.lan.addresses:
                    reply = await request(namespace, address, 9, timeout_s=DEADLINE_S)
                    assert "refused" in (reply.error or "")

    try:
        # As when the machine is restarted: nothing is left but files.
        for host in created.hosts:
            kill_everything(host.name)
        again = start_ended()
        assert [host.id for host in again.hosts] == [host.id for host in created.hosts]
        assert len(again.neighbours) == 1
        assert [(host.limits, read_cpus(host.name)) for host in again.hosts] == [(limits, 0.5)] * 2
        asyncio.run(both_answer(again))
        # One host ends; the other one still holds the namespaces of the LAN.
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
