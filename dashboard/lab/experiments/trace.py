"""Makes one request on one way of a running experiment and reads what it passed: right before, during and after it."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import aclosing
from dataclasses import replace
from weakref import WeakKeyDictionary

from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.addresses import format_endpoint
from dashboard.core.paths.conntrack import read_entries
from dashboard.core.paths.model import cables_between
from dashboard.core.paths.trace import Counts, Look, Sight, Trace, counterpart, read_trace
from dashboard.core.paths.try_paths import Way, ways
from dashboard.lab.experiments.actions import running_run
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.lab.reconciler import Lab
from dashboard.netns.exec_tool import run_inside
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.netlink.framing import MalformedMessage
from dashboard.netns.request import request
from dashboard.netns.traffic import read_counts, read_held, read_tracked

SETTLE_STEP_S = 0.01
SETTLE_STEPS = 20
NFT = ("nft", "list", "ruleset")
TOOL_S = 3.0
TOOL_BYTES = 2_000_000
NOT_THE_MACHINE = "the client is no part of the machine's stack: its nat rules do not concern it"

#: One trace at a time: another's request would be counted too.
_turns: WeakKeyDictionary[Lab, asyncio.Lock] = WeakKeyDictionary()


def traceable(lab: Lab, experiment: str) -> tuple[Way, ...]:
    """The ways that exist now. NotRunningError if the experiment does not run."""
    view = running_run(lab, experiment).view
    return tuple(one for one in ways(view.columns, view.states) if one.key)


async def trace(lab: Lab, experiment: str, key: str, beside: str = "") -> tuple[Trace, ...]:
    """Traces the way ``key``, and then the one to draw beside it: ``beside``, or that of another mode.

    NotRunningError, or ValueError with a sentence for a way that does not exist.
    """
    run = running_run(lab, experiment)
    there = {one.key: one for one in traceable(lab, experiment)}
    for one in (key, beside) if beside else (key,):
        if one not in there:
            raise ValueError(_unknown(one, tuple(there)))
    other = there[beside] if beside else counterpart(tuple(there.values()), there[key])
    async with _turns.setdefault(lab, asyncio.Lock()):
        found = [await _trace(lab, run, there[key])]
        if other is not None and other.key != key:
            found.append(await _trace(lab, run, other))
    return tuple(found)


def _unknown(key: str, there: tuple[str, ...]) -> str:
    which = f"choose one of {', '.join(there)}" if there else "nothing can be asked here now"
    return f"There is no path “{key[:80]}” here now: {which}."


async def _trace(lab: Lab, run: ExperimentDriver, way: Way) -> Trace:
    target = format_endpoint(way.address, way.port)
    near, far = run.observer.inode(way.origin), run.observer.inode(way.server)
    pool = lab.context.watches
    client = pool.namespace(near) if near is not None else None
    server = pool.namespace(far) if far is not None else None
    if client is None or server is None:
        return read_trace(way, Sight(target, error="The column is not there any more."))
    try:
        return read_trace(way, await _Traced(lab, run, way, target, client, server).sight())
    except (NamespaceGone, OSError, MalformedMessage) as error:
        return read_trace(way, Sight(target, error=f"It ended while it was looked at: {error}."))


class _Traced:
    """The looks around one request."""

    def __init__(
        self, lab: Lab, run: ExperimentDriver, way: Way, target: str, client: Namespace, server: Namespace
    ) -> None:
        self._nftables = lab.context.info.firewall_backend == "nftables"
        self._way = way
        self._client, self._server = client, server
        states = run.view.states
        self._near = states[way.origin]
        self._sight = Sight(
            target,
            shared=client.inode == server.inode,
            own=frozenset(a.address for link in self._near.interfaces for a in link.addresses),
            cables=tuple(cables_between(states[MACHINE], states[way.server])) if way.origin == MACHINE else (),
            rules_why="" if way.origin == MACHINE else NOT_THE_MACHINE,
        )

    async def sight(self) -> Sight:
        """One request between two looks."""
        before = await self._look()
        way = self._way
        reply = await request(
            self._client,
            way.address,
            way.port,
            server=self._server,
            server_port=way.server_port,
            on_connected=self._meanwhile,
        )
        after = await self._look(settle=True)
        answer = f"HTTP {reply.status} {reply.reason}".strip() if reply.status is not None else ""
        return replace(
            self._sight,
            client=reply.client or "",
            client_seen=reply.client_seen or "",
            answer=answer,
            error=reply.error or "",
            before=before,
            after=after,
        )

    async def _meanwhile(self, client: str) -> None:
        """Who has which connection, and what is tracked, while the request stands."""
        way = self._way
        ports = {int(client.rpartition(":")[2]), way.port, way.server_port}
        listening = {one.pid for one in self._near.listeners if one.port == way.port and one.pid}
        held = await asyncio.to_thread(read_held, self._client, ports, listening)
        served = held if self._sight.shared else await asyncio.to_thread(read_held, self._server, ports)
        lines = await asyncio.to_thread(read_tracked, self._client, ports)
        if lines is None and shutil.which("conntrack") is not None:
            code, lines = await self._tool("conntrack", "-L", "-p", "tcp")
            lines = lines if code == 0 else None
        entries = None if lines is None else read_entries(lines)
        self._sight = replace(self._sight, held=held, served=served, entries=entries)

    async def _look(self, *, settle: bool = False) -> Look:
        """The last packets of a connection come a little after its answer: with ``settle`` counters are read until two
        readings agree."""
        links, inside = await self._counts()
        for _ in range(SETTLE_STEPS if settle else 0):
            await asyncio.sleep(SETTLE_STEP_S)
            last, (links, inside) = (links, inside), await self._counts()
            if last == (links, inside):
                break
        return Look(await self._rules(), links, inside)

    async def _counts(self) -> tuple[dict[str, Counts], dict[str, Counts]]:
        links = await asyncio.to_thread(read_counts, self._client)
        return links, {} if self._sight.shared else await asyncio.to_thread(read_counts, self._server)

    async def _rules(self) -> tuple[str, ...]:
        if self._sight.rules_why:
            return ()
        saving = "ip6tables-save" if ":" in self._way.address else "iptables-save"
        code, lines = await self._tool(*(NFT if self._nftables else (saving, "-c", "-t", "nat")))
        if code == 0:
            return lines
        why = f"the machine's nat rules cannot be read: {lines[-1] if lines else f'exit {code}'}"
        self._sight = replace(self._sight, rules_why=why)
        return ()

    async def _tool(self, *argv: str) -> tuple[int, tuple[str, ...]]:
        """A tool of the machine in the client's stack: exit code and lines."""
        codes: list[int | None] = []
        run = run_inside(self._client, argv, timeout_s=TOOL_S, limit_bytes=TOOL_BYTES, on_exit=codes.append)
        async with aclosing(run) as pieces:
            lines = "".join([text async for text in pieces]).splitlines()
        return (codes[0] if codes and codes[0] is not None else -1), tuple(lines)
