"""What a stage reads: namespaces, files, answers, rules; from the kernel where it can, else from the Engine."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

from dashboard.core.claims.model import Answer, Container, NotTestableError, Place
from dashboard.core.modes import MACHINE, Mode
from dashboard.core.namespaces.state import Lookup, NamespaceState, Resolver
from dashboard.engine.decoding import container_facts
from dashboard.engine.protocol import ContainerFacts, EngineError
from dashboard.lab.claims.engines import Ground
from dashboard.lab.claims.testbed_servers import ask_abstract
from dashboard.lab.experiments.observer import Observer, ObservationTarget
from dashboard.netns.exec_tool import run_inside
from dashboard.netns.files import read_inside
from dashboard.netns.lookup import lookup
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.namespace_ids import namespaces
from dashboard.netns.netlink.listeners import read_listeners
from dashboard.netns.request import request

LOOK_S = 0.02
SERVE_S = 3.0
LOG_LINES = 10
NOT_THERE, CONFLICT = 404, 409
WITH_LOGS = frozenset({"exited", "dead"})


class Reading:
    """The half of a stage that changes nothing."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._observer = Observer(ground.watches, lambda: ground.info.pid, lambda _states, _cause: None)

    def _text(self, text: str) -> str:
        """A text of the claim with everything filled in."""
        raise NotImplementedError

    async def again(self, container: Container) -> Container:
        """As it is now; ``gone`` where there is none any more."""
        engine = self._ground.engine
        try:
            inspected = await engine.inspect(container.id)
            facts = container_facts(inspected)
            logs = await engine.container_logs(container.id, LOG_LINES) if facts.status in WITH_LOGS else ()
        except EngineError as error:
            # Between inspect and logs ``--rm`` may have begun its work: the Engine then refuses the logs.
            if error.status not in {NOT_THERE, CONFLICT}:
                raise
            return replace(container, status="gone" if error.status == NOT_THERE else "removing")
        code = facts.exit_code
        return replace(container, status=facts.status, exit_code=code, logs=logs, inspected=inspected)

    async def _facts(self, place: Place) -> ContainerFacts:
        if isinstance(place, str):
            raise ValueError(f"{place} is no container")
        facts = container_facts(await self._ground.engine.inspect(place.id))
        if facts.pid == 0:
            raise NotTestableError(f"{place.name or 'The container'} does not run: {place.said}.")
        return facts

    async def _pid(self, place: Place) -> int:
        return self._ground.pid if place == MACHINE else (await self._facts(place)).pid

    @asynccontextmanager
    async def _inside(self, place: Place) -> AsyncIterator[Namespace]:
        pid = await self._pid(place)
        try:
            namespace = await asyncio.to_thread(Namespace.of_pid, pid)
        except NamespaceGone as error:
            raise NotTestableError(f"It ended while it was looked at: {error}.") from error
        with namespace:
            yield namespace

    async def serving(self, place: Place, port: int) -> bool:
        """Looks until somebody listens, the container has ended or time is up."""
        loop = asyncio.get_running_loop()
        end = loop.time() + SERVE_S
        try:
            async with self._inside(place) as namespace:
                while True:
                    if any(one.port == port for one in await asyncio.to_thread(read_listeners, namespace)):
                        return True
                    if loop.time() > end:
                        return False
                    if isinstance(place, Container) and (await self.again(place)).status != "running":
                        return False
                    await asyncio.sleep(LOOK_S)
        except NotTestableError:
            if place == MACHINE:
                raise
            return False

    async def state(self, place: Place) -> NamespaceState:
        """One observation, as the columns of an experiment are observed."""
        subject = await self._subject(place)
        try:
            return await self._observer.add(subject)
        except NamespaceGone as error:
            raise NotTestableError(f"It ended while it was looked at: {error}.") from error
        finally:
            await self._observer.remove(subject.key)

    async def _subject(self, place: Place) -> ObservationTarget:
        if place == MACHINE:
            return ObservationTarget(MACHINE, self._ground.pid, Mode.HOST, "/etc/resolv.conf", "/etc/hosts")
        facts = await self._facts(place)
        name = facts.network_mode.partition(":")[0]
        mode = {"default": Mode.BRIDGE}.get(name) or (Mode(name) if name in set(Mode) else Mode.USER_BRIDGE)
        return ObservationTarget(facts.id, facts.pid, mode, facts.resolv_conf_path, facts.hosts_path, facts.dns)

    async def inodes(self, place: Place) -> Mapping[str, int]:
        """Read from /proc."""
        try:
            return await asyncio.to_thread(namespaces, await self._pid(place))
        except NamespaceGone as error:
            raise NotTestableError(f"It ended while it was looked at: {error}.") from error

    async def file(self, place: Place, path: str) -> str:
        """Read where the Engine keeps it."""
        at = path
        if place != MACHINE:
            facts = await self._facts(place)
            at = facts.resolv_conf_path if path == "/etc/resolv.conf" else facts.hosts_path
        content = await asyncio.to_thread(read_inside, self._ground.pid, at)
        if content is None:
            raise NotTestableError(
                f"{path} of {'the machine' if place == MACHINE else 'the container'} cannot be read."
            )
        return content.decode(errors="replace")

    async def request(self, place: Place, address: str, port: int = 0) -> Answer:
        """From a socket made inside."""
        address = self._text(address)
        async with self._inside(place) as namespace:
            if address.startswith("@"):
                return await ask_abstract(namespace, address)
            reply = await request(namespace, address, port, timeout_s=2.0)
        seen = next((value for name, value in reply.headers if name == "x-client-address"), "")
        return Answer(reply.status, reply.body_start, seen, reply.error or "", connected=reply.client is not None)

    async def look_up(self, place: Place, name: str) -> Lookup:
        """With the place's own files."""
        state = await self.state(place)
        async with self._inside(place) as namespace:
            return await lookup(namespace, self._text(name), state.resolver or Resolver(), state.hosts)

    async def inside(self, place: Place, command: str) -> tuple[int, str]:
        """``docker exec``, or a tool of the machine in its network namespace."""
        argv = shlex.split(self._text(command))
        if isinstance(place, Container):
            return await self._ground.engine.execute(place.id, argv)
        codes: list[int | None] = []
        async with (
            self._inside(place) as namespace,
            aclosing(run_inside(namespace, argv, on_exit=codes.append)) as pieces,
        ):
            output = "".join([text async for text in pieces])
        return (codes[0] if codes and codes[0] is not None else -1), output

    async def rules(self) -> tuple[str, ...]:
        """By the tool of the backend that the engine says it uses."""
        nftables = self._ground.info.firewall_backend == "nftables"
        code, output = await self.inside(MACHINE, "nft list ruleset" if nftables else "iptables-save -c -t nat")
        if code != 0:
            said = output.strip().splitlines()
            raise NotTestableError(f"The machine's nat rules cannot be read: {said[-1] if said else f'exit {code}'}.")
        return tuple(output.splitlines())

    async def stats(self, container: Container) -> Mapping[str, Any]:
        """Asked of the Engine."""
        return await self._ground.engine.statistics(container.id)
