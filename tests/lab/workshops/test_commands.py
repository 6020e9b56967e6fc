"""Buttons on a real engine have the same effect as the typed line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.core.workshops.checks.check_types import Check
from dashboard.core.workshops.checks.vocabulary import judge
from dashboard.core.workshops.commands import parse_command
from dashboard.engine.protocol import EngineError, EngineUnreachable
from dashboard.lab.workshops.commands import CommandResult, clean_up, container_table, pull_images, run_command
from dashboard.lab.workshops.snapshot import WorkshopHost, observe_host
from tests.lab.hosts import LABELS, host_for, observe, private_workshop_host
from tests.support.fakes import FakeEngine
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine


@pytest.fixture
async def host(engine_host: PrivateEngine) -> AsyncIterator[WorkshopHost]:
    async with private_workshop_host(engine_host) as made:
        yield made
        await clean_up(made)


async def press(host: WorkshopHost, line: str) -> CommandResult:
    return await run_command(host, line, parse_command(line))


async def run_ok(host: WorkshopHost, line: str) -> str:
    result = await press(host, line)
    assert result.failed == "", result
    return result.output


@pytest.mark.engine
async def test_a_launched_container_serves_and_is_removed_at_the_end(
    host: WorkshopHost, engine_host: PrivateEngine
) -> None:
    result = await press(host, "docker run --rm -d --name web --network host -p 8080:80 nginx")
    assert (result.failed, len(result.output)) == ("", 64)
    assert result.warnings == ("Published ports are discarded when using host network mode",)
    assert (await run_ok(host, "curl -i http://127.0.0.1/")).startswith("HTTP/1.1 200 OK"), "it serves at once"
    assert "web" in await run_ok(host, "docker ps")
    assert "nginx" in await run_ok(host, "ss -Hltnp 'sport = :80'")
    lines = (await run_ok(host, "netstat -tulpn | grep :80")).splitlines()
    assert lines
    assert all(":80" in line for line in lines)
    machine, inside = [await run_ok(host, f"{place}readlink /proc/self/ns/net") for place in ("", "docker exec web ")]
    assert machine == inside == f"net:[{engine_host.host.netns}]"
    assert await run_ok(host, "docker stop web") == "web"
    assert "refused" in (await press(host, "curl http://127.0.0.1/")).failed
    assert not (await observe(host)).containers
    assert await clean_up(host) == 0


@pytest.mark.engine
async def test_a_created_network_resolves_names_and_is_removed_after_its_container(
    host: WorkshopHost, engine_host: PrivateEngine
) -> None:
    assert len(await run_ok(host, "docker network create --subnet 10.99.0.0/24 lab")) == 64
    await run_ok(host, "docker run --rm -d --name shop --network lab -p 127.0.0.1:8090:80 nginx")
    assert "nameserver 127.0.0.11" in await run_ok(host, "docker exec shop cat /etc/resolv.conf")
    assert "10.99.0.2" in await run_ok(host, "docker exec shop nslookup shop")
    assert "You reached 10.99.0.2:80" in await run_ok(host, "docker exec shop wget -qO- http://shop/")
    assert "10.99.0.2/24" in await run_ok(host, "docker exec shop ip addr show")
    assert "10.99.0.2/24" not in await run_ok(host, "ip addr show")
    assert await run_ok(host, "docker port shop") == "80/tcp -> 127.0.0.1:8090"
    assert "endpoints" in (await press(host, "docker network rm lab")).failed, "the Engine's own words"
    assert await run_ok(host, "docker rm -f shop") == "shop"
    assert await run_ok(host, "docker network rm lab") == "lab"
    assert "not found" in (await press(host, "docker network rm lab")).failed
    assert (await observe(host)).networks == {}


@pytest.mark.engine
async def test_refusals_are_results_with_the_engines_message(host: WorkshopHost, engine_host: PrivateEngine) -> None:
    await run_ok(host, "docker run -d --name web --network host nginx")
    assert "already in use" in (await press(host, "docker run -d --name web nginx")).failed
    assert "stop it first" in (await press(host, "docker rm web")).failed
    clash = await press(host, "docker run -d --name clash -p 80:80 nginx")
    assert "address already in use" in clash.failed
    assert "No such container" in (await press(host, "docker stop nobody")).failed
    assert "is not running" in (await press(host, "docker exec clash ip addr show")).failed
    assert "reaches no registry" in (await press(host, "docker run -d --name x no-such-image")).failed
    assert await run_ok(host, "docker stop web") == "web"
    assert "exited" in await run_ok(host, "docker ps -a")
    assert "web" not in await run_ok(host, "docker ps")
    await run_ok(host, "docker logs web")
    assert await run_ok(host, "docker rm web clash") == "web\nclash"


@pytest.mark.engine
async def test_a_button_joins_only_namespaces_that_a_button_made(
    host: WorkshopHost, engine_host: PrivateEngine
) -> None:
    shared = replace(host, private=False)
    await asyncio.to_thread(engine_host.docker, "run", "-d", "--name", "typed", "nginx")
    try:
        line = "docker run -d --name helper --network container:{} nginx sleep 100"
        refused = await press(shared, line.format("typed"))
        assert "typed was not launched by a button of a workshop" in refused.failed
        assert "No such container" in (await press(shared, line.format("nobody"))).failed
        assert {container.name for container in await host.engine.containers({})} == {"typed"}
        await run_ok(shared, "docker run -d --name web nginx")
        await run_ok(shared, line.format("web"))
        assert (await press(host, "docker run -d --name own --network container:typed nginx sleep 100")).failed == ""
    finally:
        await asyncio.to_thread(engine_host.docker, "rm", "-f", "own", "typed")


@pytest.mark.engine
async def test_cleanup_keeps_containers_that_were_typed(host: WorkshopHost, engine_host: PrivateEngine) -> None:
    await asyncio.to_thread(engine_host.docker, "run", "-d", "--name", "typed", "nginx")
    try:
        await run_ok(host, "docker network create lab")
        await run_ok(host, "docker run -d --name pressed --network lab nginx")
        facts = await host.engine.containers(dict(LABELS))
        assert [one.name for one in facts] == ["pressed"]
        assert await clean_up(host) == 1
        observation = await observe(host)
        assert [one.name for one in observation.containers] == ["typed"]
        assert observation.networks == {}
    finally:
        await asyncio.to_thread(engine_host.docker, "rm", "-f", "typed")


async def test_images_are_pulled_in_advance_on_private_hosts_only(fake: FakeEngine, tmp_path: Path) -> None:
    async with host_for(fake, tmp_path) as host:
        assert await pull_images(host, ("nginx",)) == ""
        assert "reaches no registry" in await pull_images(host, ("httpd",))
        fake.away = "nobody"
        with pytest.raises(EngineUnreachable):
            await pull_images(host, ("nginx",))
    fake.away = ""
    async with host_for(fake, tmp_path, private=False) as host:
        fake.calls.clear()
        assert await pull_images(host, ("httpd",)) == ""
        assert fake.calls == [], "no registry is asked before a button is pressed"


async def test_a_container_with_rm_is_stopped_only_once_it_is_removed(fake: FakeEngine, tmp_path: Path) -> None:
    """Its name is free then. The Engine lists it as exited for a moment, on a busy machine for longer, before it
    removes it."""
    async with host_for(fake, tmp_path) as host:
        web = await run_ok(host, "docker run --rm -d --name web nginx")
        fake.made[web] = replace(fake.made[web], auto_remove=True)
        stopping = asyncio.create_task(press(host, "docker stop web"))
        await eventually(lambda: not fake.made[web].running)
        fake.calls.clear()
        await eventually(lambda: fake.calls.count("inspect_container") > 1)
        assert not stopping.done()
        await fake.remove_container(web)
        assert (await stopping).output == "web"


async def test_a_container_that_cannot_be_removed_does_not_keep_the_next_ones(fake: FakeEngine, tmp_path: Path) -> None:
    """As with ``docker rm``: a cleanup removes what is there, and with -f a missing container is no error."""
    async with host_for(fake, tmp_path) as host:
        for name in ("web", "shop", "old"):
            await run_ok(host, f"docker run -d --name {name} nginx")
        assert await run_ok(host, "docker rm -f gone web") == "No such container: gone\nweb"
        await run_ok(host, "docker stop old")
        refused = await press(host, "docker rm gone shop old")
        assert refused.failed.split("; ") == [
            "No such container: gone",
            "cannot remove container shop: container is running: stop it first",
        ]
        assert [container.name for container in await fake.containers({})] == ["shop"]
        fake.refuse["remove_container"] = EngineError("device is busy", 500)
        assert (await press(host, "docker rm -f gone shop")).failed == "device is busy"


async def test_an_unreachable_engine_is_not_a_refusal(fake: FakeEngine, tmp_path: Path) -> None:
    async with host_for(fake, tmp_path) as host:
        fake.refuse["start_container"] = EngineError("the port is taken", 500)
        result = await press(host, "docker run -d --name web nginx")
        assert result.failed == "the port is taken"
        fake.away = "nobody there"
        for line in ("docker run -d --name other nginx", "docker stop web", "docker exec web ip addr show"):
            with pytest.raises(EngineUnreachable):
                await press(host, line)


async def test_commands_that_need_a_namespace_are_refused_on_a_remote_engine(fake: FakeEngine, tmp_path: Path) -> None:
    async with host_for(fake, tmp_path, pid=None) as host:
        for line in ("curl http://127.0.0.1/", "ip addr show"):
            assert "not a process of this machine" in (await press(host, line)).failed
        fake.refuse["remove_container"] = EngineError("busy", 409)
        await press(host, "docker run -d --name web nginx")
        assert await clean_up(host) == 1, "a refusal is logged: the next start tries again"


def test_an_empty_table_has_its_header() -> None:
    assert container_table((), show_all=True) == "NAME  IMAGE  STATUS  NETWORK"


@pytest.mark.engine
async def test_a_rule_stops_a_request_from_another_machine_and_counts(
    host: WorkshopHost, engine_host: PrivateEngine
) -> None:
    lan = replace(host, endpoint=engine_host.endpoint)
    await run_ok(lan, "docker run --rm -d --name outside -p 18350:80 nginx")
    request = "curl -i http://192.0.2.2:18350/ # on another machine"
    assert "from 192.0.2.10." in await run_ok(lan, request)
    rule = "iptables -I DOCKER-USER -i eth0 -p tcp --dport 80 -j DROP"
    await run_ok(lan, rule)
    try:
        assert "No answer" in (await press(lan, request)).failed
        seen = await observe_host(lan, time.time(), rules=True)
        for kind, ok in (("rule-dropped", True), ("rule-present", True), ("rule-absent", False)):
            assert judge(Check(kind, {"chain": "DOCKER-USER", "port": 80}), seen).ok is ok
    finally:
        await run_ok(lan, rule.replace("-I", "-D"))
    assert (await press(lan, rule.replace("-I", "-D"))).failed
    assert (await observe_host(lan, time.time())).rules == (), "they are read only for checks of rules"


async def test_without_a_lan_nothing_runs_outside_and_no_rule_changes(fake: FakeEngine, tmp_path: Path) -> None:
    async with host_for(fake, tmp_path) as host:
        outside = "curl http://192.0.2.2/ # on another machine"
        for line in (outside, "ufw deny 80/tcp", "iptables -I INPUT -j DROP", "docker swarm init"):
            result = await press(host, line)
            assert "private host" in result.failed or "not a process" in result.failed
