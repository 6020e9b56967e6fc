"""The engines that claims run on, and whose turn it is on each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dashboard.core.claims.model import Need, NotTestableError
from dashboard.core.namespaces.addresses import primary_addresses
from dashboard.core.namespaces.state import NamespaceState
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.private_host import PrivateHost
from dashboard.engine.images import ensure_image
from dashboard.engine.lab_image import LAB_REFERENCE
from dashboard.engine.protocol import Engine, EngineError, EngineInfo
from dashboard.lab.watch_pool import WatchPool
from dashboard.netns.kernel import link_kinds
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.netlink.interfaces import read_interfaces, read_routes


class Turns:
    """Who may work on a ground: many at once, or one alone; and of the many only one at port 80."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._working = 0
        self._alone = False
        self._taken: set[int] = set()

    @asynccontextmanager
    async def among_others(self, ports: Sequence[int] = ()) -> AsyncIterator[None]:
        """Beside others, with these ports of the machine to oneself."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._alone and not self._taken & set(ports))
            self._working += 1
            self._taken |= set(ports)
        try:
            yield
        finally:
            async with self._changed:
                self._working -= 1
                self._taken -= set(ports)
                self._changed.notify_all()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """With nobody beside."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._alone and self._working == 0)
            self._alone = True
        try:
            yield
        finally:
            async with self._changed:
                self._alone = False
                self._changed.notify_all()


@dataclass(slots=True)
class Ground:
    """An engine to run claims on. ``host`` is the private host that it is, None for a reader's own engine;
    ``image`` what ``IMAGE`` stands for; ``machine`` the machine's address besides loopback, empty without one;
    ``lacks`` what it cannot do, with the reason."""

    engine: Engine
    info: EngineInfo
    image: str
    watches: WatchPool
    host: PrivateHost | None = None
    machine: str = ""
    lacks: Mapping[Need, str] = field(default_factory=dict)
    turns: Turns = field(default_factory=Turns)

    @property
    def title(self) -> str:
        """Which engine this is, for a person."""
        whose = f"private host {self.host.id}" if self.host is not None else self.info.name or self.info.endpoint
        return f"Docker Engine {self.info.version} ({whose})"

    @property
    def pid(self) -> int:
        """The daemon's process, which lives in the machine's namespaces; NotTestableError if it is not one of ours."""
        if self.info.pid is None:
            raise NotTestableError("The engine is no process of this machine: its network stack cannot be read.")
        return self.info.pid


def look_at_machine(pid: int | None) -> tuple[str, dict[Need, str]]:
    """The address of the machine's way out, empty where it has none or cannot be read; and what the machine lacks."""
    lacks = {} if link_kinds().get("macvlan", True) else {Need.MACVLAN: "This kernel has no macvlan."}
    if pid is None:
        return "", lacks
    try:
        with Namespace.of_pid(pid) as namespace:
            state = NamespaceState(0, interfaces=read_interfaces(namespace), routes=read_routes(namespace))
    except (OSError, NamespaceGone):
        return "", lacks
    if not any(a.address == "::1" for link in state.interfaces for a in link.addresses):
        lacks[Need.IPV6] = "This machine has no IPv6."
    return next((one for one in primary_addresses(state) if ":" not in one), ""), lacks


async def open_ground(engine: Engine, data_dir: Path, watches: WatchPool, host: PrivateHost | None = None) -> Ground:
    """The engine with the lab image on it; EngineError where that cannot be had."""
    info = await engine.info()
    image = await ensure_image(engine, LAB_REFERENCE, data_dir, lambda _text, _fraction: None, private=host is not None)
    machine, lacks = await asyncio.to_thread(look_at_machine, info.pid)
    return Ground(engine, info, image.reference, watches, host, machine, lacks)


async def start_ground(stack: AsyncExitStack, data_dir: Path, watches: WatchPool) -> Ground:
    """A private host for this run, gone when ``stack`` closes. PrivateHostError or EngineError if it cannot be."""
    host = await private_host.start(data_dir, die_with_parent=True)
    stack.push_async_callback(private_host.stop, host)
    engine = DockerEngine(host.endpoint, timeout_s=30)
    stack.push_async_callback(engine.close)
    return await open_ground(engine, data_dir, watches, host)


#: What a private host may lack.
UNAVAILABLE = (private_host.PrivateHostError, EngineError)
