"""A swarm of the hosts of a real LAN."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.cleanup import kill_everything
from dashboard.engine.hosts.registry import LanPlace
from dashboard.engine.lans import swarm_node
from dashboard.engine.lans.lan import Lan, create_lan, list_lans
from dashboard.engine.lans.swarm import form_swarm, is_member, leave_swarm
from dashboard.engine.protocol import EngineError
from dashboard.lab.lans.engines import form_new_swarm, start_again
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine, load_lab_image

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a LAN of three hosts; at the end they are removed."""
    folder = tmp_path_factory.mktemp("swarm")
    asyncio.run(create_lan(folder, LanPlace("swarm"), 3))
    yield folder
    asyncio.run(private_host.stop_all(folder))


@pytest.fixture
async def lan(data_dir: Path, tmp_path: Path) -> AsyncIterator[Lan]:
    """The hosts as they run now. At the end they are in no swarm and have no containers."""
    (found,) = list_lans(data_dir)
    yield found
    (found,) = list_lans(data_dir)
    for host in found.hosts:
        PrivateEngine(host, tmp_path).docker("container", "rm", "--force", "web", "client")
    await leave_swarm(found.hosts)


async def members(lan: Lan) -> list[bool]:
    return await asyncio.gather(*map(is_member, lan.hosts))


async def start_pair(lan: Lan, network: str, tmp_path: Path) -> None:
    """Starts the container ``web`` on the first host and ``client`` on the last one, on a new overlay network."""
    first, *_, last = (PrivateEngine(host, tmp_path) for host in lan.hosts)
    await asyncio.gather(load_lab_image(lan.hosts[0]), load_lab_image(lan.hosts[-1]))
    # Every host can create overlay networks.
    last.docker("network", "create", "-d", "overlay", "--attachable", network)
    first.docker("run", "-d", "--name", "web", "--network", network, "nginx")
    last.docker("run", "-d", "--name", "client", "--network", network, "nginx")


async def reach_web(lan: Lan, tmp_path: Path) -> None:
    """The client reaches ``web`` by its name, from its own address."""
    last = PrivateEngine(lan.hosts[-1], tmp_path)
    address = last.inspect("client", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")

    async def answer() -> str:
        request = ("exec", "client", "busybox", "wget", "-T1", "-qO-", "http://web/")
        return (await asyncio.to_thread(last.try_docker, *request)).stdout

    assert f"from {address}." in await eventually(answer)


async def test_a_swarm_continues_when_its_hosts_have_been_started_again_and_they_can_form_another_one(
    data_dir: Path, lan: Lan, tmp_path: Path
) -> None:
    await form_new_swarm(data_dir, lan)
    assert await members(lan) == [True] * 3
    await start_pair(lan, "kept", tmp_path)
    for host in lan.hosts:
        await asyncio.to_thread(kill_everything, host.name)
    (ended,) = list_lans(data_dir)
    await start_again(data_dir, ended)
    (again,) = list_lans(data_dir)
    assert await members(again) == [True] * 3
    await reach_web(again, tmp_path)
    for host in (again.hosts[0], again.hosts[-1]):
        PrivateEngine(host, tmp_path).docker("rm", "--force", "web", "client")
    await form_new_swarm(data_dir, again)
    (again,) = list_lans(data_dir)
    await start_pair(again, "span", tmp_path)
    await reach_web(again, tmp_path)
    # VXLAN takes 50 bytes of each packet.
    assert "mtu 1450" in PrivateEngine(again.hosts[-1], tmp_path).docker(
        "exec", "client", "busybox", "ip", "link", "show", "eth0"
    )
    await leave_swarm(again.hosts)
    assert await members(again) == [False] * 3


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


async def test_an_engine_that_keeps_the_port_of_a_former_swarm_is_started_again(
    data_dir: Path, lan: Lan, tmp_path: Path
) -> None:
    """If hosts leave at the same time, the last ones cannot tell the others. Engines of version 28.3 and later close
    the port nevertheless."""
    await form_new_swarm(data_dir, lan)
    assert all(swarm_node.keeps_port(host.pid) for host in lan.hosts)
    await asyncio.gather(*(swarm_node.leave(host.endpoint) for host in lan.hosts))
    await form_new_swarm(data_dir, lan)
    (now,) = list_lans(data_dir)
    await start_pair(now, "next", tmp_path)
    await reach_web(now, tmp_path)
