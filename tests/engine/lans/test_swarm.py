"""A swarm of the hosts of a real LAN."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.cleanup import kill_everything
from dashboard.engine.hosts.registry import LanPlace
from dashboard.engine.lans import swarm_node
from dashboard.engine.lans.lan import Lan, create_lan, list_lans, start_lan_again
from dashboard.engine.lans.swarm import form_swarm, is_member, leave_swarm
from dashboard.engine.protocol import EngineError
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine, load_lab_image

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def lan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lan]:
    """Three hosts; at the end they are removed."""
    folder = tmp_path_factory.mktemp("swarm")
    yield asyncio.run(create_lan(folder, LanPlace("swarm"), 3))
    asyncio.run(private_host.stop_all(folder))


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data folder; at the end its hosts are removed."""
    yield tmp_path
    asyncio.run(private_host.stop_all(tmp_path))


async def members(lan: Lan) -> list[bool]:
    return await asyncio.gather(*map(is_member, lan.hosts))


async def test_containers_of_an_overlay_network_reach_each_other_by_name_from_host_to_host(
    lan: Lan, tmp_path: Path
) -> None:
    assert await members(lan) == [False] * 3
    await form_swarm(lan.hosts)
    assert await members(lan) == [True] * 3
    first, *_, last = (PrivateEngine(host, tmp_path) for host in lan.hosts)
    await asyncio.gather(load_lab_image(lan.hosts[0]), load_lab_image(lan.hosts[2]))
    # Every host can create overlay networks.
    last.docker("network", "create", "-d", "overlay", "--attachable", "span")
    first.docker("run", "-d", "--name", "web", "--network", "span", "nginx")
    client = last.docker("run", "-d", "--network", "span", "nginx")

    async def answers() -> str:
        done = await asyncio.to_thread(last.try_docker, "exec", client, "busybox", "wget", "-qO-", "http://web/")
        return done.stdout

    own = last.inspect(client, '{{(index .NetworkSettings.Networks "span").IPAddress}}')
    assert f"from {own}." in await eventually(answers)
    # VXLAN takes 50 bytes of each packet.
    assert "mtu 1450" in last.docker("exec", client, "busybox", "ip", "link", "show", "eth0")
    await leave_swarm(lan.hosts)
    assert await members(lan) == [False] * 3


async def test_a_swarm_that_cannot_be_formed_leaves_no_host_in_one(lan: Lan, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = swarm_node._ask

    async def refuse_to_join(host: object, name: str, *args: object, **options: object) -> object:
        if name == "join_swarm":
            raise EngineError("refused", 500)
        return await ask(host, name, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(swarm_node, "_ask", refuse_to_join)
    with pytest.raises(EngineError, match="refused"):
        await form_swarm(lan.hosts)
    assert await members(lan) == [False] * 3


async def test_a_swarm_continues_when_its_hosts_have_been_started_again(data_dir: Path, tmp_path: Path) -> None:
    lan = await create_lan(data_dir, LanPlace("again"), 3)
    await form_swarm(lan.hosts)
    PrivateEngine(lan.hosts[0], tmp_path).docker("network", "create", "-d", "overlay", "--attachable", "kept")
    for host in lan.hosts:
        await asyncio.to_thread(kill_everything, host.name)
    await start_lan_again(data_dir, lan.name, lambda host, joined: private_host.start_again(host, joined=joined))
    (again,) = list_lans(data_dir)

    async def is_whole() -> bool:
        # Without a leader the managers refuse the command.
        nodes = await asyncio.to_thread(PrivateEngine(again.hosts[0], tmp_path).try_docker, "node", "ls")
        return nodes.stdout.count("Ready") == 3 and await members(again) == [True] * 3

    await eventually(is_whole)
    assert "kept" in PrivateEngine(again.hosts[2], tmp_path).docker("network", "ls")
    await leave_swarm(again.hosts)
