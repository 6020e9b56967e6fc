"""Implements ``core.claims.testbed.Testbed`` on a real engine. Everything that it creates has the claim's labels."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from dashboard.core.claims.lines import daemon_options, fill, mutate
from dashboard.core.claims.testbed import Container, NotTestableError, Place, Timing
from dashboard.core.experiments.docker_run import parse_network_create, parse_run
from dashboard.core.experiments.launch import warnings_about_the_arm
from dashboard.core.experiments.lifecycle import removal_waves
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState
from dashboard.engine.protocol import ContainerFacts, EngineError, EngineUnreachable
from dashboard.engine.removal import wait_removed
from dashboard.interrupts import uninterrupted
from dashboard.lab.claims.engines import NO_PRIVATE_ENGINE, ClaimEngine, start_private_engine
from dashboard.lab.claims.testbed_reading import POLL_S, TestbedReader
from dashboard.lab.claims.testbed_servers import MachineServers
from dashboard.lab.claims.testbed_timing import Timings
from dashboard.lab.experiments.concurrency import result_of
from dashboard.netns.files import read_inside, write_inside


class EngineTestbed(TestbedReader):
    """The testbed of one claim. The names of its containers and networks on the engine start with ``prefix``.
    ``mutation`` maps words in the claim's texts to their replacements."""

    def __init__(
        self,
        target: ClaimEngine,
        labels: Mapping[str, str],
        prefix: str,
        *,
        mutation: Mapping[str, str] | None = None,
        timings: Timings | None = None,
    ) -> None:
        super().__init__(target)
        self._labels = dict(labels)
        self._prefix = prefix
        self._mutation = dict(mutation or {})
        self._timings = timings or Timings()
        self._names = {MACHINE: target.machine} if target.machine else {}
        self._unnamed = 0
        self._network_modes: dict[str, str] = {}
        self._networks: dict[str, str] = {}
        self._files: dict[str, bytes] = {}
        self._servers = MachineServers()
        self._calls: set[asyncio.Task[Any]] = set()
        self._undo: list[tuple[Place, str]] = []
        self._engines = AsyncExitStack()
        self._others: list[EngineTestbed] = []

    def _text(self, text: str) -> str:
        mutated = mutate(text, self._mutation).replace("IMAGE", self._target.image)
        try:
            return fill(mutated, self._names)
        except KeyError as error:
            if error.args[0] == MACHINE:
                raise NotTestableError("The machine has no address other than loopback.") from None
            raise

    def _real_name(self, name: str) -> str:
        """Returns the name that a container or network of the claim gets on the engine: a prefix, then ``name``. If
        ``name`` is empty, a number replaces it. Otherwise, the result is stored for ``_text``."""
        if not name:
            self._unnamed += 1
            return f"{self._prefix}-{self._unnamed}"
        self._names[name] = f"{self._prefix}-{name}"
        return self._names[name]

    async def _complete[T](self, work: Awaitable[T]) -> T:
        """Awaits a call that creates something. Once started, the call completes even if the claim is cancelled."""
        task = asyncio.ensure_future(work)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        return await result_of(task)

    async def run(self, line: str) -> Container:
        """Creates and starts a container from a ``docker run`` line. Raises NotTestableError if the Engine refuses."""
        container = await self.try_run(line)
        if container.refused:
            reason = f"The Engine refused {container.line} at {container.refused_at}: {container.refused}"
            raise NotTestableError(reason)
        return container

    async def try_run(self, line: str) -> Container:
        """Does the same as ``run``, but stores the Engine's refusal in the field ``refused`` of the result."""
        parsed = parse_run(self._text(line))
        name = self._real_name(parsed.name)
        engine, config = self._target.engine, parsed.labelled(self._labels)
        container = Container(parsed.line, name=name)
        try:
            created = await self._complete(engine.create_container(name, config))
        except EngineUnreachable:
            raise
        except EngineError as error:
            return replace(container, refused=str(error), refused_at="create")
        self._network_modes[name] = parsed.config["HostConfig"]["NetworkMode"]
        container = replace(container, id=created.id, warnings=warnings_about_the_arm(created.warnings))
        started = time.monotonic()
        refused = await _refusal(self._complete(engine.start_container(created.id)))
        container = replace(container, start_s=time.monotonic() - started)
        return await self.inspect(replace(container, refused=refused, refused_at="start" if refused else ""))

    async def create_network(self, line: str) -> str:
        """Creates a network from a ``docker network create`` line and returns its name on the engine. Raises
        NotTestableError if that fails."""
        if refusal := await self.try_create_network(line):
            raise NotTestableError(f"The engine cannot create the network: {refusal}")
        return self._names[parse_network_create(self._text(line)).name]

    async def try_create_network(self, line: str) -> str:
        """Does the same as ``create_network``, but returns the Engine's refusal, empty if the network was created."""
        parsed = parse_network_create(self._text(line))
        name = self._real_name(parsed.name)

        async def create() -> None:
            call = self._target.engine.create_network(name, parsed.driver, self._labels, parsed.options)
            self._networks[await self._complete(call)] = name

        return await _refusal(create())

    async def connect_network(self, network: str, container: Container) -> str:
        """Connects the container to the network. Returns the Engine's refusal, empty if the call succeeded."""
        return await _refusal(self._target.engine.connect_network(self._text(network), container.id))

    async def wait_exited(self, container: Container, within_s: float = 5.0) -> Container:
        """Waits up to ``within_s`` seconds until the container no longer runs. Returns its state at the end."""
        current = container
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while (current := await self.inspect(container)).status in {"running", "created"}:
                    await asyncio.sleep(POLL_S * 2)
        return current

    async def stop(self, container: Container) -> Container:
        """Stops the container, with a grace period of one second. If it was started with ``--rm``, also waits until the
        Engine has removed it. Returns its state at the end."""
        engine = self._target.engine
        await engine.stop_container(container.id, grace_s=1)
        if container.setting("HostConfig", "AutoRemove"):
            await wait_removed(engine, container.id)
        return await self.inspect(container)

    async def restart(self, container: Container) -> Container:
        """Stops the container, with a grace period of one second, and starts it again. Returns its new state."""
        engine = self._target.engine
        await engine.stop_container(container.id, grace_s=1)
        await self._complete(engine.start_container(container.id))
        return await self.inspect(container)

    async def alter(self, line: str, undo: str, place: Place = MACHINE) -> None:
        """Runs ``line`` in ``place``, to change the machine or LAN of a private host. ``close`` runs ``undo`` there."""
        if self._target.host is None:
            raise NotTestableError("The network of a machine can be changed only on private hosts.")
        if line.startswith("ip "):
            self._target.require_lan()
        self._undo.append((place, undo))
        code, output = await self.execute(place, line)
        if code != 0:
            raise NotTestableError(f"{self._text(line)} failed: {output.strip()}")

    async def start_engine(self, line: str, setup: str = "") -> EngineTestbed:
        """Starts another private host with the dockerd options in ``line``, and returns its testbed. ``close`` removes
        the host. ``setup`` names a program that is started before the engine."""
        if self._target.data_dir is None:
            raise NotTestableError("Private hosts cannot be started here.")
        options = daemon_options(shlex.split(self._text(line))[1:])
        try:
            target = await start_private_engine(
                self._engines, self._target.data_dir, self._target.watches, daemon=options, setup=setup
            )
        except NO_PRIVATE_ENGINE as error:
            raise NotTestableError(f"It needs a private host: {error}") from error
        other = EngineTestbed(target, self._labels, self._prefix, mutation=self._mutation)
        self._others.append(other)
        return other

    @property
    def started_engines(self) -> tuple[str, ...]:
        """The titles of the engines that the claim started."""
        return tuple(other._target.title for other in self._others)

    async def serve_on_lan(self, place: Place, address: str, port: int) -> None:
        """Starts an HTTP server in the namespace of ``place``, which is the LAN's neighbour or router."""
        async with self._namespace(place) as namespace:
            if refusal := await self._servers.serve(namespace, self._text(address), port):
                raise NotTestableError(f"The server on the LAN cannot start: {refusal}.")

    async def answer_names(self, server: str, names: Mapping[str, str]) -> None:
        """Starts a DNS server at the address ``server`` of a private host. ``names`` maps host names to their
        addresses."""
        if self._target.host is None:
            raise NotTestableError("A DNS server can be started only on private hosts.")
        async with self._namespace(MACHINE) as namespace:
            if refusal := await self._servers.answer_names(namespace, self._text(server), names):
                raise NotTestableError(f"The DNS server on the machine cannot start: {refusal}.")

    async def serve_on_machine(self, address: str, port: int = 0) -> str:
        """Starts an HTTP server in the machine's namespace. Returns the kernel's error, empty if the server runs."""
        async with self._namespace(MACHINE) as namespace:
            return await self._servers.serve(namespace, self._text(address), port)

    async def write_file(self, path: str, text: str) -> None:
        """Overwrites the file that a private host's engine sees at ``path``. ``close`` restores its content."""
        if self._target.host is None:
            raise NotTestableError("The files of a machine can be changed only on private hosts.")
        pid = self._target.pid
        if (before := await asyncio.to_thread(read_inside, pid, path)) is not None:
            self._files.setdefault(path, before)
        if not await asyncio.to_thread(write_inside, pid, path, self._text(text).encode()):
            raise NotTestableError(f"{path} of the machine cannot be written.")

    async def measure(self, line_a: str, line_b: str, question: str) -> Timing:
        """Compares the latencies of the two paths in ``question`` (``PATH against PATH``). For the first question about
        two ``docker run`` lines, launches their containers and measures every path to them."""

        async def launch() -> list[tuple[str, ContainerFacts]]:
            return [(parse_run(line).name, await self._facts(await self.run(line))) for line in (line_a, line_b)]

        mutated = mutate(question, self._mutation)
        return await self._timings.answer((line_a, line_b), mutated, self._target, launch, self._state_of)

    async def _state_of(self, key: str, facts: ContainerFacts | None) -> NamespaceState:
        return await self.state(MACHINE if facts is None else Container("", facts.id, key))

    async def close(self) -> tuple[str, ...]:
        """Removes what the claim has created and reverts its changes. Returns what was not removed, and why."""
        left: list[str] = []
        if self._calls:
            await asyncio.wait(self._calls)
        await self._servers.close()
        for place, undo in reversed(self._undo):
            # The host or the container may be gone: the rest is removed in any case.
            with suppress(NotTestableError, EngineError, OSError):
                await self.execute(place, undo)
        try:
            for other in self._others:
                left += await other.close()
        finally:
            await self._engines.aclose()
        for path, content in self._files.items():
            await asyncio.to_thread(write_inside, self._target.pid, path, content)
        await self._observer.close()
        engine = self._target.engine
        for wave in removal_waves(self._network_modes):
            containers = [(f"container {name}", engine.remove_container, name) for name in wave]
            await asyncio.gather(*(_remove(left, *container) for container in containers))
        networks = [(f"network {name}", engine.remove_network, key) for key, name in self._networks.items()]
        await asyncio.gather(*(_remove(left, *network) for network in networks))
        return tuple(left)


async def _refusal(call: Awaitable[object]) -> str:
    """Awaits a call. Returns the Engine's refusal, empty if the call succeeded. Raises EngineUnreachable."""
    try:
        await call
    except EngineUnreachable:
        raise
    except EngineError as error:
        return str(error)
    return ""


async def _remove(left: list[str], what: str, remove: Callable[[str], Awaitable[None]], key: str) -> None:
    try:
        await remove(key)
    except EngineError as error:
        left.append(f"{what}: {error}")


@asynccontextmanager
async def open_testbed(
    target: ClaimEngine,
    labels: Mapping[str, str],
    prefix: str,
    *,
    mutation: Mapping[str, str] | None = None,
    timings: Timings | None = None,
    left: list[str] | None = None,
) -> AsyncIterator[EngineTestbed]:
    """Yields an ``EngineTestbed``, which is closed at the end of the ``with`` statement. What could not be removed is
    added to ``left``. ``timings`` holds earlier measurements. The other arguments are those of ``EngineTestbed``."""
    testbed = EngineTestbed(target, labels, prefix, mutation=mutation, timings=timings)
    try:
        yield testbed
    finally:
        remaining = await uninterrupted(testbed.close())
        if left is not None:
            left.extend(remaining)
