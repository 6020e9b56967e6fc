"""``swarm``: measures how long it takes to create a swarm of three private hosts on a LAN, and to remove it.

The swarm is up when a container on the last host has reached a container of each mode (overlay, bridge, host) on the
first host. It is gone when no process, network namespace, cgroup, mount or file of its hosts is left.
"""

import asyncio
import os
import time
from contextlib import AsyncExitStack
from functools import partial

from dashboard import configuration
from dashboard.bench.benchmark import BenchmarkError, BenchmarkRun, until
from dashboard.bench.statistics import Result, at_most, figure, spread
from dashboard.bench.training.private_hosts import until_removed
from dashboard.core.training.capacity import HostLimits
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.registry import LanPlace, PrivateHost
from dashboard.engine.lans.images import add_image
from dashboard.engine.lans.lan import create_lan, stop_hosts
from dashboard.engine.lans.swarm import form_swarm
from dashboard.engine.protocol import ContainerFacts, Engine
from dashboard.netns.namespace import Namespace
from dashboard.netns.request import request

LIMIT_S = 900.0
ROUNDS, QUICK_ROUNDS, HOSTS = 20, 2, 3
UP_S, GONE_S = 15.0, 5.0
DEADLINE_S = 60.0
POLL_S = 0.02
NETWORK = "span"
PORT = 8080


async def benchmark(run: BenchmarkRun) -> Result:
    """Creates and removes a swarm in each round, with new hosts."""
    up, gone = [], []
    rounds = QUICK_ROUNDS if run.quick else ROUNDS
    load = os.getloadavg()[0]
    try:
        for number in range(1, rounds + 1):
            started = time.monotonic()
            hosts = await _create(run)
            up.append(time.monotonic() - started)
            started = time.monotonic()
            await stop_hosts(hosts)
            await until_removed(hosts)
            gone.append(time.monotonic() - started)
            run.say(f"round {number} of {rounds}: up {up[-1]:.1f} s, gone {gone[-1]:.1f} s")
    finally:
        await private_host.stop_all(configuration.data_dir())
    return Result(
        "swarm",
        f"A swarm of {HOSTS} private hosts, with overlay, bridge and host mode",
        f"up within {UP_S:g} s and gone within {GONE_S:g} s, every time",
        (
            figure("up, the longest", "s", up, percent=100, promise=at_most(UP_S)),
            figure("up", "s", up),
            figure("gone, the longest", "s", gone, percent=100, promise=at_most(GONE_S)),
            figure("gone", "s", gone),
        ),
        (
            f"{rounds} rounds: up {spread(up)} s, gone {spread(gone)} s.",
            f"Load average before: {load:.2f}, after: {os.getloadavg()[0]:.2f}.",
        ),
    )


async def _create(run: BenchmarkRun) -> tuple[PrivateHost, ...]:
    """Creates a swarm, and returns its hosts once a container of each mode has answered."""
    folder = configuration.data_dir()
    lan = await create_lan(folder, LanPlace("bench"), HOSTS, HostLimits())
    await asyncio.gather(*(add_image(host, folder, lambda _text: None) for host in lan.hosts))
    await form_swarm(lan.hosts)
    async with AsyncExitStack() as opened:
        engines = [
            await opened.enter_async_context(DockerEngine(host.endpoint, timeout_s=DEADLINE_S))
            for host in (lan.hosts[0], lan.hosts[-1])
        ]
        await engines[0].create_network(NETWORK, "overlay", {}, {"attachable": True})
        publish = {"PortBindings": {"80/tcp": [{"HostPort": str(PORT)}]}}
        in_host, _in_bridge, in_overlay = await asyncio.gather(
            _run(engines[0], "host", {"NetworkMode": "host"}),
            _run(engines[0], "bridge", {"NetworkMode": "bridge", **publish}),
            _run(engines[0], "overlay", {"NetworkMode": NETWORK}),
        )
        client = await _run(engines[1], "client", {"NetworkMode": NETWORK})
        machine = lan.hosts[0].lan.addresses[0]
        for address, port in ((machine, 80), (machine, PORT), (in_overlay.networks[NETWORK], 80)):
            what = f"an answer of {address}, port {port}, to the container on the last host"
            await until(partial(_answers, client.pid, address, port), what, DEADLINE_S, POLL_S)
        if in_host.networks.get("host"):
            raise BenchmarkError("the container in host mode has an address of its own")
    run.say("all modes have answered")
    return lan.hosts


async def _run(engine: Engine, name: str, options: dict[str, object]) -> ContainerFacts:
    created = await engine.create_container(name, {"Image": "nginx", "HostConfig": options})
    await engine.start_container(created.id)
    return await engine.inspect_container(created.id)


async def _answers(client: int, address: str, port: int) -> bool:
    with await asyncio.to_thread(Namespace.of_pid, client) as namespace:
        return (await request(namespace, address, port, timeout_s=1.0)).status == 200
