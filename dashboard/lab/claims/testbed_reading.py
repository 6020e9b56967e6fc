"""Reads namespaces, files, responses and rules for a testbed: from the kernel if possible, else from the Engine."""

import asyncio
import shlex
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from dashboard.core.claims.testbed import (
    NEIGHBOUR,
    ROUTER,
    Container,
    Datagram,
    NotTestableError,
    Place,
    Response,
    Transfer,
)
from dashboard.core.modes import MACHINE, Mode
from dashboard.core.namespaces.resolver import NOT_MADE
from dashboard.core.namespaces.state import Lookup, NamespaceState, Resolver
from dashboard.engine.decoding import container_facts
from dashboard.engine.hosts import private_host
from dashboard.engine.protocol import ContainerFacts, EngineError
from dashboard.lab.claims.engines import ClaimEngine
from dashboard.lab.claims.testbed_firewalls import firewall_command
from dashboard.lab.claims.testbed_servers import request_abstract
from dashboard.lab.claims.testbed_traffic import send_datagram, transfer
from dashboard.lab.experiments.observer import ObservationTarget, Observer
from dashboard.netns.exec_tool import run_inside
from dashboard.netns.files import read_inside
from dashboard.netns.firewall import read_nat_listing
from dashboard.netns.lookup import lookup
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.namespace_ids import namespaces
from dashboard.netns.netlink.listeners import read_listeners
from dashboard.netns.request import request

POLL_S = 0.02
LISTEN_TIMEOUT_S = 3.0
LOG_LINES = 10
NOT_FOUND, CONFLICT = 404, 409
WITH_LOGS = frozenset({"exited", "dead"})


class TestbedReader:
    """The methods of a testbed that only read; ``EngineTestbed`` adds those that change something. A parameter
    ``place`` is a container, the machine (``MACHINE``), the LAN's neighbour or its router. All methods may raise
    NotTestableError."""

    def __init__(self, target: ClaimEngine) -> None:
        self._target = target
        self._observer = Observer(target.watches, lambda: target.info.pid, lambda _states: None)

    def _text(self, text: str) -> str:
        """Returns a text of the claim in which the word ``IMAGE`` and the placeholders for names are replaced."""
        raise NotImplementedError

    async def inspect(self, container: Container) -> Container:
        """Returns the container with the state that the Engine reports now. The status is ``gone`` if the container no
        longer exists."""
        engine = self._target.engine
        try:
            inspected = await engine.inspect(container.id)
            facts = container_facts(inspected)
            logs = await engine.container_logs(container.id, LOG_LINES) if facts.status in WITH_LOGS else ()
        except EngineError as error:
            # The Engine refuses the logs if ``--rm`` has started to remove the container since it was inspected.
            if error.status not in {NOT_FOUND, CONFLICT}:
                raise
            return replace(container, status="gone" if error.status == NOT_FOUND else "removing")
        return replace(container, status=facts.status, exit_code=facts.exit_code, logs=logs, inspected=inspected)

    async def _facts(self, place: Place) -> ContainerFacts:
        if isinstance(place, str):
            raise ValueError(f"{place} is not a container")
        facts = await self._target.engine.inspect_container(place.id)
        self._target.require_visible()
        if facts.pid == 0:
            raise NotTestableError(f"{place.name or 'The container'} is not running: {place.summary}.")
        return facts

    async def _pid(self, place: Place) -> int:
        return self._target.pid if place == MACHINE else (await self._facts(place)).pid

    @asynccontextmanager
    async def _namespace(self, place: Place) -> AsyncIterator[Namespace]:
        if isinstance(place, str) and place in {NEIGHBOUR, ROUTER}:
            with await self._open_on_lan(place) as namespace:
                yield namespace
            return
        pid = await self._pid(place)
        try:
            path = self._target.info.netns if place == MACHINE else ""
            namespace = await asyncio.to_thread(Namespace.of_machine, pid, path)
        except NamespaceGone as error:
            raise _exited(error) from error
        with namespace:
            yield namespace

    async def wait_listening(self, place: Place, port: int) -> bool:
        """Waits until a process listens on the port of ``place``, and returns True. Returns False if the container has
        exited, or after ``LISTEN_TIMEOUT_S`` seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + LISTEN_TIMEOUT_S
        try:
            async with self._namespace(place) as namespace:
                while True:
                    listeners = await asyncio.to_thread(read_listeners, namespace)
                    if any(listener.port == port for listener in listeners):
                        return True
                    if loop.time() > end:
                        return False
                    if isinstance(place, Container) and (await self.inspect(place)).status != "running":
                        return False
                    await asyncio.sleep(POLL_S)
        except NotTestableError:
            if place == MACHINE or self._target.info.invisible:
                raise
            return False

    async def default_bridge(self) -> str:
        """Returns the name of the bridge interface of Docker's network ``bridge``."""
        networks = await self._target.engine.networks({})
        bridge = next((network.bridge for network in networks if network.name == Mode.BRIDGE), None)
        if bridge is None:
            raise NotTestableError("The engine has no default bridge.")
        return bridge

    async def state(self, place: Place) -> NamespaceState:
        """Observes ``place`` once, in the same way as a column of an experiment, and returns its state."""
        target = await self._observation_target(place)
        try:
            await self._observer.add(target)
            await self._observer.settle()
            return self._observer.state(target.key)
        except NamespaceGone as error:
            raise _exited(error) from error
        finally:
            await self._observer.remove(target.key)

    async def _observation_target(self, place: Place) -> ObservationTarget:
        if place == MACHINE:
            path = self._target.info.netns
            return ObservationTarget(MACHINE, self._target.pid, Mode.HOST, "/etc/resolv.conf", "/etc/hosts", netns=path)
        facts = await self._facts(place)
        name = facts.network_mode.partition(":")[0]
        mode = {"default": Mode.BRIDGE}.get(name) or (Mode(name) if name in set(Mode) else Mode.USER_BRIDGE)
        files = (facts.resolv_conf_path, facts.hosts_path)
        return ObservationTarget(facts.id, facts.pid, mode, *files, facts.dns, container=facts.id)

    async def namespaces(self, place: Place) -> Mapping[str, int]:
        """Returns the inodes of the namespaces of ``place`` by type, read from /proc."""
        try:
            return await asyncio.to_thread(namespaces, await self._pid(place))
        except NamespaceGone as error:
            raise _exited(error) from error

    async def read_file(self, place: Place, path: str) -> str:
        """Returns the content of a file. On the machine, this can be any file. In a container, it is
        ``/etc/resolv.conf`` or ``/etc/hosts``, read where the Engine stores it."""
        source = path
        if place != MACHINE:
            facts = await self._facts(place)
            source = facts.resolv_conf_path if path == "/etc/resolv.conf" else facts.hosts_path
        content = await asyncio.to_thread(read_inside, self._target.pid, source)
        if content is None:
            owner = "the machine" if place == MACHINE else "the container"
            raise NotTestableError(f"{path} of {owner} cannot be read.")
        return content.decode(errors="replace")

    async def request(self, place: Place, address: str, port: int = 0) -> Response:
        """Sends an HTTP request from a socket that is created in the network namespace of ``place``. An ``address``
        that starts with ``@`` names an abstract unix socket."""
        address = self._text(address)
        async with self._namespace(place) as namespace:
            if address.startswith("@"):
                return await request_abstract(namespace, address)
            return await _get(namespace, address, port)

    async def _open_on_lan(self, place: str) -> Namespace:
        host = self._target.host
        if host is None:
            raise NotTestableError("Only a private host has a LAN for requests.")
        self._target.require_lan()
        try:
            return await asyncio.to_thread(
                Namespace.of_path_inside, self._target.pid, str(private_host.RUN / host.id / place)
            )
        except NamespaceGone as error:
            raise NotTestableError(f"The LAN of the private host cannot be entered: {error}.") from error

    async def request_from_lan(self, address: str, port: int) -> Response:
        """Sends an HTTP request from the neighbour. During the request, the neighbour has a route to ``address``
        through the machine."""
        address = self._text(address)
        async with self._namespace(NEIGHBOUR) as neighbour:
            route = f"{address}/32 via {self._target.machine} dev eth0"
            steps = [(f"ip route add {route}", f"ip route del {route}")]
            if address.startswith("127."):
                # Packets to 127.0.0.0/8 leave the neighbour only without this address on lo and with this sysctl.
                steps = [
                    ("ip address del 127.0.0.1/8 dev lo", "ip address add 127.0.0.1/8 dev lo"),
                    (
                        "sysctl -qw net.ipv4.conf.eth0.route_localnet=1",
                        "sysctl -qw net.ipv4.conf.eth0.route_localnet=0",
                    ),
                    *steps,
                ]
            undo: list[str] = []
            try:
                for line, back in steps:
                    code, output = await _run_tool(neighbour, line.split())
                    if code != 0:
                        raise NotTestableError(f"The neighbour has no route to {address}: {output.strip()}")
                    undo.insert(0, back)
                return await _get(neighbour, address, port)
            finally:
                for line in undo:
                    await _run_tool(neighbour, line.split())

    async def lookup(self, place: Place, name: str) -> Lookup:
        """Resolves a name in the network namespace of ``place``, with its resolver configuration and hosts file."""
        state = await self.state(place)
        async with self._namespace(place) as namespace:
            found = await lookup(namespace, self._text(name), state.resolver or Resolver(), state.hosts)
        if found.outcome in NOT_MADE:
            raise NotTestableError(f"{found.name} could not be looked up: {found.outcome}.")
        return found

    async def execute(self, place: Place, command: str) -> tuple[int, str]:
        """Runs a command and returns its exit code and output. In a container, the command runs as with
        ``docker exec``. Elsewhere, it is a program of this machine that runs in the network namespace of ``place``."""
        argv = shlex.split(self._text(command))
        if isinstance(place, Container):
            return await self._target.engine.execute(place.id, argv)
        if place == MACHINE:
            argv = await firewall_command(self._target, argv)
        async with self._namespace(place) as namespace:
            return await _run_tool(namespace, argv)

    async def send_datagram(self, sender: Place, receiver: Place, address: str, port: int) -> Datagram:
        """Sends a UDP datagram to ``address`` from the namespace of ``sender``, and returns whether it arrived in the
        namespace of ``receiver``."""
        async with self._namespace(sender) as outgoing, self._namespace(receiver) as incoming:
            return await send_datagram(outgoing, incoming, self._text(address), port)

    async def transfer(self, sender: Place, receiver: Place, address: str, port: int, size: int) -> Transfer:
        """Sends ``size`` bytes over TCP to ``address`` from the namespace of ``sender``, and returns how many arrived
        in the namespace of ``receiver``."""
        async with self._namespace(sender) as outgoing, self._namespace(receiver) as incoming:
            return await transfer(outgoing, incoming, self._text(address), port, size)

    async def memory_kib(self, pids: Sequence[int]) -> int:
        """Returns the sum of ``proportional_kib`` of these processes."""
        return await asyncio.to_thread(lambda: sum(proportional_kib(pid) for pid in pids))

    async def nat_rules(self) -> tuple[str, ...]:
        """Returns the machine's NAT rules for IPv4, one per line, in the format of the first tool that lists any (see
        ``read_nat_listing``)."""
        async with self._namespace(MACHINE) as namespace:
            listing = await read_nat_listing(namespace, self._target.info.firewall_backend)
        if listing.error:
            raise NotTestableError(f"The machine's nat rules cannot be read: {listing.error}.")
        return tuple(listing.text.splitlines())

    async def stats(self, container: Container) -> Mapping[str, Any]:
        """Returns the Engine's statistics about a container."""
        return await self._target.engine.statistics(container.id)


def proportional_kib(pid: int) -> int:
    """Returns the memory of a process in KiB; 0 if it has exited. Shared pages are divided among the processes that map
    them (Pss, proc(5))."""
    with suppress(OSError):
        for row in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
            if row.startswith("Pss:"):
                return int(row.split()[1])
    return 0


async def _get(namespace: Namespace, address: str, port: int) -> Response:
    reply = await request(namespace, address, port, timeout_s=2.0)
    client = next((value for name, value in reply.headers if name == "x-client-address"), "")
    return Response(reply.status, reply.body_start, client, reply.error or "", connected=reply.client is not None)


async def _run_tool(namespace: Namespace, argv: list[str]) -> tuple[int, str]:
    """Runs a program of this machine in a network namespace. Returns the program's exit code (-1 if it is unknown) and
    its output."""
    codes: list[int | None] = []
    async with aclosing(run_inside(namespace, argv, on_exit=codes.append)) as pieces:
        output = "".join([text async for text in pieces])
    return (codes[0] if codes and codes[0] is not None else -1), output


def _exited(error: NamespaceGone) -> NotTestableError:
    return NotTestableError(f"The process exited during the observation: {error}.")
