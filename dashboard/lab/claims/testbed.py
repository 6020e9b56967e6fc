"""``core.claims.model.Stage`` on a real engine: launches, reads and removes. Everything made carries the claim's labels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from dashboard.core.claims.model import Container, NotTestableError, Timing, fill, turn
from dashboard.core.experiments.docker_run import parse_network_create, parse_run
from dashboard.core.experiments.launch import warnings_about_the_arm
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState
from dashboard.engine.protocol import ContainerFacts, EngineError, EngineUnreachable
from dashboard.lab.claims.engines import Ground
from dashboard.lab.claims.testbed_reading import LOOK_S, SERVE_S, Reading
from dashboard.lab.claims.testbed_servers import MachineServers
from dashboard.lab.claims.testbed_timing import Timings

SHARED_FILES = {"/etc/resolv.conf": "resolv_conf", "/etc/hosts": "hosts_file"}


class RealStage(Reading):
    """One claim's stage. ``prefix`` begins the names of what it makes; ``counter`` turns words of every text."""

    def __init__(
        self,
        ground: Ground,
        labels: Mapping[str, str],
        prefix: str,
        *,
        counter: Mapping[str, str] | None = None,
        timings: Timings | None = None,
    ) -> None:
        super().__init__(ground)
        self._labels = dict(labels)
        self._prefix = prefix
        self._counter = dict(counter or {})
        self._timings = timings or Timings()
        self._names = {MACHINE: ground.machine} if ground.machine else {}
        self._count = 0
        self._made: dict[str, str] = {}
        self._networks: list[str] = []
        self._files: dict[Path, str] = {}
        self._servers = MachineServers()
        self._calls: set[asyncio.Task[Any]] = set()

    # Texts.

    def _text(self, text: str) -> str:
        turned = turn(text, self._counter).replace("IMAGE", self._ground.image)
        try:
            return fill(turned, self._names)
        except KeyError as error:
            if error.args[0] == MACHINE:
                raise NotTestableError("The machine has no address besides loopback.") from None
            raise

    def _name(self, said: str) -> str:
        """The real name for one in a line; others may use the same word at the same time."""
        if not said:
            self._count += 1
            return f"{self._prefix}-{self._count}"
        self._names[said] = f"{self._prefix}-{said}"
        return self._names[said]

    async def _whole[T](self, work: Awaitable[T]) -> T:
        """A call that makes something: once begun it ends, also if the claim is cancelled meanwhile."""
        task = asyncio.ensure_future(work)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        return await asyncio.shield(task)

    # Containers and networks.

    async def run(self, line: str) -> Container:
        """Creates and starts; what the Engine refuses is in the answer."""
        read = parse_run(self._text(line))
        name = self._name(read.name)
        engine, config = self._ground.engine, read.labelled(self._labels)
        found = Container(read.line, name=name)
        try:
            created = await self._whole(engine.create_container(name, config))
        except EngineUnreachable:
            raise
        except EngineError as error:
            return replace(found, refused=str(error), refused_at="create")
        self._made[created.id] = name
        found = replace(found, id=created.id, warnings=warnings_about_the_arm(created.warnings))
        try:
            await self._whole(engine.start_container(created.id))
        except EngineUnreachable:
            raise
        except EngineError as error:
            found = replace(found, refused=str(error), refused_at="start")
        return await self.again(found)

    async def network(self, line: str) -> str:
        """Makes a network; a refusal is the claim's own mistake or the machine's lack."""
        read = parse_network_create(self._text(line))
        name = self._name(read.name)
        try:
            await self._whole(self._ground.engine.create_network(name, read.driver, self._labels, read.options))
        except EngineUnreachable:
            raise
        except EngineError as error:
            raise NotTestableError(f"The engine makes no such network: {error}") from error
        self._networks.append(name)
        return name

    async def connect(self, network: str, container: Container) -> str:
        """Empty, or the Engine's refusal."""
        try:
            await self._ground.engine.connect_network(self._text(network), container.id)
        except EngineUnreachable:
            raise
        except EngineError as error:
            return str(error)
        return ""

    async def ended(self, container: Container, within_s: float = 5.0) -> Container:
        """Waits for its own end."""
        found = container
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while True:
                    found = await self.again(container)
                    if found.status not in {"running", "created"}:
                        return found
                    await asyncio.sleep(LOOK_S * 2)
        return found

    async def stop(self, container: Container) -> Container:
        """Stops it, without much grace; ``--rm`` removes it a moment later."""
        await self._ground.engine.stop_container(container.id, grace_s=1)
        found = await self.again(container)
        removed = container.setting("HostConfig", "AutoRemove")
        if removed and found.status != "gone":
            with suppress(TimeoutError):
                async with asyncio.timeout(SERVE_S):
                    while found.status != "gone":
                        await asyncio.sleep(LOOK_S)
                        found = await self.again(container)
        return found

    # The machine.

    async def serve_on_machine(self, address: str, port: int = 0) -> str:
        """Empty, or the kernel's refusal."""
        async with self._inside(MACHINE) as namespace:
            return await self._servers.serve(namespace, self._text(address), port)

    async def set_file(self, path: str, text: str) -> None:
        """In place, and put back at the end."""
        if self._ground.host is None:
            raise NotTestableError("The files of a machine are changed on private hosts only.")
        file: Path = getattr(self._ground.host, SHARED_FILES[path])
        self._files.setdefault(file, await asyncio.to_thread(file.read_text))
        await asyncio.to_thread(file.write_text, self._text(text))

    async def measure(self, line_a: str, line_b: str, question: str) -> Timing:
        """Measured once for all questions on the same lines."""
        asked = turn(question, self._counter)

        async def launch() -> list[tuple[str, ContainerFacts]]:
            made = []
            for line in (line_a, line_b):
                one = await self.run(line)
                name = parse_run(line).name
                made.append((name, await self._facts(one)))
            return made

        return await self._timings.answer((line_a, line_b), asked, self._ground, launch, self._subject_of)

    async def _subject_of(self, key: str, facts: ContainerFacts | None) -> NamespaceState:
        if facts is None:
            return await self.state(MACHINE)
        return await self.state(Container("", facts.id, key))

    # The end.

    async def close(self) -> tuple[str, ...]:
        """Removes everything; what could not be removed, with the Engine's words."""
        left: list[str] = []
        if self._calls:
            await asyncio.wait(self._calls)
        await self._servers.close()
        for file, text in self._files.items():
            await asyncio.to_thread(file.write_text, text)
        await self._observer.close()
        engine = self._ground.engine
        removing = [(f"container {name}", engine.remove_container, key) for key, name in self._made.items()]
        await asyncio.gather(*(_removed(left, *one) for one in removing))
        networks = [(f"network {name}", engine.remove_network, name) for name in self._networks]
        await asyncio.gather(*(_removed(left, *one) for one in networks))
        return tuple(left)


async def _removed(left: list[str], what: str, remove: Callable[[str], Awaitable[None]], key: str) -> None:
    try:
        await remove(key)
    except EngineError as error:
        left.append(f"{what}: {error}")


@asynccontextmanager
async def open_stage(
    ground: Ground,
    labels: Mapping[str, str],
    prefix: str,
    *,
    counter: Mapping[str, str] | None = None,
    timings: Timings | None = None,
    left: list[str] | None = None,
) -> AsyncIterator[RealStage]:
    """A stage that is cleared when the block ends, however it ends; ``left`` collects what could not be removed."""
    stage = RealStage(ground, labels, prefix, counter=counter, timings=timings)
    async with AsyncExitStack() as stack:

        async def clear() -> None:
            found = await asyncio.shield(asyncio.ensure_future(stage.close()))
            if left is not None:
                left.extend(found)

        stack.push_async_callback(clear)
        yield stage
