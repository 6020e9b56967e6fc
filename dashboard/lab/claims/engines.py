"""Prepares the engines on which claims run. A lock per engine determines which claims may run on it at the same
time."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from dashboard.core.claims.engine_facts import EngineFacts, facts_of
from dashboard.core.claims.model import Claim, Need
from dashboard.core.claims.testbed import NotTestableError
from dashboard.core.experiments.engine_kind import describe_engine
from dashboard.core.modes import Mode
from dashboard.core.namespaces.addresses import primary_addresses
from dashboard.core.namespaces.state import NamespaceState
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.private_host import PrivateHost
from dashboard.engine.hosts.programs import engine_root, engine_setup, engine_version
from dashboard.engine.images import ensure_image
from dashboard.engine.lab_image import LAB_REFERENCE
from dashboard.engine.protocol import Engine, EngineError, EngineInfo
from dashboard.lab.doctor import modes_of
from dashboard.lab.engine.daemon_options import read_daemon_options
from dashboard.lab.watch_pool import WatchPool
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.netlink.interfaces import read_interfaces, read_routes


class EngineLock:
    """The lock of one engine. Either one claim holds it exclusively, or any number of claims share it. Claims that
    share the lock never use the same port of the machine at the same time."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._sharing = 0
        self._exclusive = False
        self._ports: set[int] = set()

    @asynccontextmanager
    async def shared(self, ports: Sequence[int] = ()) -> AsyncIterator[None]:
        """Shares the lock while the body of the ``with`` statement runs, with exclusive use of these ``ports`` of the
        machine. Waits until no other claim holds the lock exclusively or uses one of the ports."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._exclusive and not self._ports & set(ports))
            self._sharing += 1
            self._ports |= set(ports)
        try:
            yield
        finally:
            async with self._changed:
                self._sharing -= 1
                self._ports -= set(ports)
                self._changed.notify_all()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Holds the lock exclusively while the body of the ``with`` statement runs, so that no other claim runs on the
        engine."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._exclusive and self._sharing == 0)
            self._exclusive = True
        try:
            yield
        finally:
            async with self._changed:
                self._exclusive = False
                self._changed.notify_all()


@dataclass(slots=True)
class ClaimEngine:
    """An engine on which claims run, with what claims need to know about it.

    ``host`` is the private host on which the engine runs; None if it runs on no private host. ``image`` is the image
    that replaces the word ``IMAGE`` in claims. ``machine`` is an address of the engine's machine other than loopback;
    empty if the machine has none. ``lacks`` maps each requirement that the engine does not meet to the reason.
    ``facts`` determine which results claims expect. ``data_dir`` is the folder in which more private hosts can be
    started; None if that is not possible.
    """

    engine: Engine
    info: EngineInfo
    image: str
    watches: WatchPool
    host: PrivateHost | None = None
    machine: str = ""
    lacks: Mapping[Need | Mode, str] = field(default_factory=dict)
    facts: EngineFacts = field(default_factory=EngineFacts)
    lock: EngineLock = field(default_factory=EngineLock)
    data_dir: Path | None = None

    @property
    def title(self) -> str:
        """The engine's kind and version, then in parentheses the first of these that exists: the id of its private
        host, the engine's name, the engine's address."""
        name = f"private host {self.host.id}" if self.host is not None else self.info.name or self.info.endpoint
        return f"{describe_engine(self.info.kind, self.info.version)} ({name})"

    def obstacle(self, claim: Claim) -> str:
        """Returns the reason why this engine cannot run the claim; empty if it can."""
        required: tuple[Need | Mode, ...] = (*sorted(claim.needs), *sorted(claim.modes))
        return claim.not_testable or next((self.lacks[each] for each in required if each in self.lacks), "")

    @property
    def pid(self) -> int:
        """The pid of the engine's daemon, which runs in the machine's namespaces. Raises NotTestableError if the daemon
        is not a process of this machine."""
        self.require_visible()
        if self.info.pid is None:
            raise NotTestableError("The process of the engine was not found.")
        return self.info.pid

    def require_visible(self) -> None:
        """Raises NotTestableError if the network stacks of the engine's machine cannot be read by this process."""
        if self.info.invisible:
            raise NotTestableError(f"The claim needs the kernel of the engine's machine: {self.info.invisible}.")

    def require_lan(self) -> None:
        """Raises NotTestableError if the engine uses RootlessKit's network namespace, which has no interface on the
        LAN."""
        if self.facts.rootless_network:
            raise NotTestableError("RootlessKit's namespace has no interface on the machine's LAN.")


def inspect_machine(pid: int | None, path: str = "") -> tuple[str, dict[Need | Mode, str]]:
    """Returns an address of the engine's machine, and the requirements of claims that the machine does not meet.

    The address is the machine's primary IPv4 address; empty if the machine has none or cannot be read. Each requirement
    is mapped to the reason why it is not met. ``pid`` is the pid of the engine's daemon, None if it is unknown.
    ``path`` is the path of the machine's namespace as the daemon sees it. If ``path`` is empty, the namespace of the
    daemon itself is read.
    """
    lacks: dict[Need | Mode, str] = {}
    if pid is None:
        return "", lacks
    try:
        with Namespace.of_machine(pid, path) as namespace:
            state = NamespaceState(0, interfaces=read_interfaces(namespace), routes=read_routes(namespace))
    except (OSError, NamespaceGone):
        return "", lacks
    if not any(address.address == "::1" for link in state.interfaces for address in link.addresses):
        lacks[Need.IPV6] = "This machine has no IPv6."
    return next((address for address in primary_addresses(state) if ":" not in address), ""), lacks


async def read_facts(engine: Engine, info: EngineInfo) -> EngineFacts:
    """Reads the facts about the engine that determine which results claims expect. Raises EngineError."""
    options = await asyncio.to_thread(read_daemon_options, info.pid)
    if info.userland_proxy is not None:
        options = replace(options, userland_proxy=info.userland_proxy)
    ipv6 = any(network.name == "bridge" and network.ipv6 for network in await engine.networks({}))
    network = info.rootlesskit.network_driver if info.rootlesskit is not None else ""
    return facts_of(
        info.kind,
        info.version,
        info.api,
        options,
        bridge_ipv6=ipv6,
        rootless_network=network,
        rootless=info.rootless,
        firewalld="firewalld" in info.firewall_backend.split("+"),
    )


async def open_engine(
    engine: Engine, data_dir: Path, watches: WatchPool, host: PrivateHost | None = None
) -> ClaimEngine:
    """Prepares an engine for claims: makes the lab image available on it, and reads its facts. ``host`` is the private
    host on which it runs, None if it runs on no private host. Raises EngineError if the image is unavailable."""
    info = await engine.info()
    image = await ensure_image(engine, LAB_REFERENCE, data_dir, lambda _text, _fraction: None, private=host is not None)
    machine, lacks = await asyncio.to_thread(inspect_machine, info.pid, info.netns)
    lacks |= {Mode(report.mode): report.reason for report in await modes_of(engine, info) if not report.available}
    facts = await read_facts(engine, info)
    return ClaimEngine(engine, info, image.reference, watches, host, machine, lacks, facts, data_dir=data_dir)


async def start_private_engine(
    stack: AsyncExitStack,
    data_dir: Path,
    watches: WatchPool,
    daemon: Mapping[str, Any] | None = None,
    setup: str = "",
) -> ClaimEngine:
    """Starts a private host and prepares its engine for claims. The host is removed when ``stack`` is closed.
    ``daemon`` contains further options for its daemon.json. ``setup`` names a program that is started before the
    engine, such as a firewall. Raises PrivateHostError or EngineError."""
    if setup and (configured := engine_setup()) not in {"", setup}:
        raise private_host.PrivateHostError(f"an engine with {configured} cannot start with {setup} as well.")
    host = await private_host.start(data_dir, die_with_parent=True, daemon=daemon, setup=setup or None)
    stack.push_async_callback(private_host.stop, host)
    engine = DockerEngine(host.endpoint, timeout_s=30, host=host)
    stack.push_async_callback(engine.close)
    return await open_engine(engine, data_dir, watches, host)


@cache
def private_engine_version() -> str:
    """Returns the version of the dockerd that private hosts run; empty if it is not installed. Blocks."""
    match = re.search(r"version ([^\s,]+)", engine_version(engine_root()))
    return match[1] if match else ""


#: The exceptions that are raised if a private host cannot start.
NO_PRIVATE_ENGINE = (private_host.PrivateHostError, EngineError)
