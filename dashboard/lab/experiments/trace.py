"""Sends one request over a path of a running experiment, and reads the evidence before, during and after it."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import aclosing
from dataclasses import replace
from weakref import WeakKeyDictionary

from dashboard.core.modes import MACHINE
from dashboard.core.paths.conntrack import read_entries
from dashboard.core.paths.evidence import PacketCounts, Sample, TraceEvidence
from dashboard.core.paths.hops import Trace
from dashboard.core.paths.model import FILTERED_KINDS, Path, veth_links
from dashboard.core.paths.requests import path_to_compare, request_key, requested_paths
from dashboard.core.paths.trace import name_machine_in, read_trace
from dashboard.lab.experiments.actions import column_namespace, running_driver
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.lab.experiments.first_packet import observe_first_packet
from dashboard.lab.experiments.multicast import COLUMN_GONE
from dashboard.lab.reconciler import Lab
from dashboard.netns.exec_tool import run_inside
from dashboard.netns.firewall import read_counted_listing, read_nat_listing
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.netlink.framing import MalformedMessage
from dashboard.netns.request import request
from dashboard.netns.traffic import read_counts, read_process_connections, read_tracked

#: Seconds between two readings of the counters after a request, and the maximum number of readings.
SETTLE_STEP_S = 0.01
SETTLE_STEPS = 20
TOOL_TIMEOUT_S = 3.0
MAX_TOOL_BYTES = 2_000_000
NOT_MACHINE = "the client is not in the machine's network stack: the machine's nat rules do not apply"

#: Allows one trace at a time per lab, because counters include concurrent requests.
_locks: WeakKeyDictionary[Lab, asyncio.Lock] = WeakKeyDictionary()


def traceable_paths(lab: Lab, experiment: str) -> dict[str, Path]:
    """Returns the paths that can be traced now, by the key of their request (``request_key``). Raises NotRunningError
    if the experiment is not running."""
    view = running_driver(lab, experiment).view
    return {request_key(path): path for path in requested_paths(view.columns, view.states) if path.address}


async def trace(lab: Lab, experiment: str, key: str, beside: str = "") -> tuple[Trace, ...]:
    """Traces a path and, for comparison, another path. Returns one or two traces.

    ``key`` and ``beside`` are the request keys of the two paths. If ``beside`` is empty, the other path is chosen,
    preferably one to another server. If there is no other path, only one is traced.

    Raises NotRunningError, or ValueError with a message for the user if a path does not exist.
    """
    driver = running_driver(lab, experiment)
    paths = traceable_paths(lab, experiment)
    for wanted in (key, beside) if beside else (key,):
        if wanted not in paths:
            choice = f"choose one of {', '.join(paths)}" if paths else "no path can be requested now"
            raise ValueError(f"There is no path “{wanted[:80]}” now: {choice}.")
    other = paths[beside] if beside else path_to_compare(tuple(paths.values()), paths[key])
    async with _locks.setdefault(lab, asyncio.Lock()):
        traces = [await _trace(lab, driver, paths[key])]
        if other is not None and other != paths[key]:
            traces.append(await _trace(lab, driver, other))
    title = next((column.title for column in driver.view.columns if column.key == MACHINE), "")
    return tuple(name_machine_in(each, title) for each in traces)


async def _trace(lab: Lab, driver: ExperimentDriver, path: Path) -> Trace:
    near = MACHINE if path.kind in FILTERED_KINDS else path.client
    client, server, rules = (column_namespace(lab, driver, key) for key in (path.client, path.server, near))
    if client is None or server is None or rules is None:
        return read_trace(path, TraceEvidence(path.target, error=COLUMN_GONE))
    try:
        return read_trace(path, await _TracedRequest(lab, driver, path, client, server, rules).run())
    except (NamespaceGone, OSError, MalformedMessage) as error:
        return read_trace(path, TraceEvidence(path.target, error=f"The container ended during the trace: {error}."))


class _TracedRequest:
    """Makes one request and collects the evidence before, during and after it. ``near`` is the namespace that
    translates and forwards the packets: the machine's if the path passes the machine's packet filter, otherwise the
    client's."""

    def __init__(
        self,
        lab: Lab,
        driver: ExperimentDriver,
        path: Path,
        client: Namespace,
        server: Namespace,
        near: Namespace,
    ) -> None:
        self._backend = lab.context.info.firewall_backend
        self._private = lab.context.private
        self._path = path
        self._client, self._server, self._near = client, server, near
        states = driver.view.states
        self._client_state = states[path.client]
        self._near_state = next((state for state in states.values() if state.netns == near.inode), self._client_state)
        from_machine = near.inode == states[MACHINE].netns
        self._evidence = TraceEvidence(
            path.target,
            shared=near.inode == server.inode,
            filtered=path.kind in FILTERED_KINDS,
            own_addresses=frozenset(a.address for link in self._client_state.interfaces for a in link.addresses),
            veths=tuple(veth_links(states[MACHINE], states[path.server])) if from_machine else (),
            rules_error="" if from_machine else NOT_MACHINE,
        )

    async def run(self) -> TraceEvidence:
        """Makes the request and returns the evidence."""
        before = await self._sample()
        path = self._path
        reply = await request(
            self._client,
            path.address,
            path.port,
            server=self._server,
            server_port=path.server_port,
            on_connected=self._read_connections,
        )
        after = await self._sample(settle=True)
        first = await observe_first_packet(self._client, self._near, path, private=self._private)
        answer = f"HTTP {reply.status} {reply.reason}".strip() if reply.status is not None else ""
        return replace(
            self._evidence,
            client=reply.client or "",
            client_seen=reply.client_seen or "",
            answer=answer,
            error=reply.error or "",
            before=before,
            after=after,
            first=first,
        )

    async def _read_connections(self, client: str) -> None:
        """Reads the connections of processes and the connection tracking while the request is in progress. ``client``
        is the address and port from which the request was sent."""
        path = self._path
        ports = {int(client.rpartition(":")[2]), path.port, path.server_port}
        pids = {listener.pid for listener in self._near_state.listeners if listener.port == path.port and listener.pid}
        connections = await asyncio.to_thread(read_process_connections, self._near, ports, pids)
        server_connections = connections
        if not self._evidence.shared:
            server_connections = await asyncio.to_thread(read_process_connections, self._server, ports)
        lines = await asyncio.to_thread(read_tracked, self._near, ports)
        if lines is None and shutil.which("conntrack") is not None:
            code, lines = await self._run_tool("conntrack", "-L", "-p", "tcp")
            lines = lines if code == 0 else None
        entries = None if lines is None else read_entries(lines)
        self._evidence = replace(
            self._evidence, client_connections=connections, server_connections=server_connections, entries=entries
        )

    async def _sample(self, *, settle: bool = False) -> Sample:
        """Reads rules and counters. If ``settle`` is true, reads the counters until two readings are equal, because the
        last packets of a connection are counted shortly after the answer."""
        counts = await self._counts()
        for _ in range(SETTLE_STEPS if settle else 0):
            await asyncio.sleep(SETTLE_STEP_S)
            previous, counts = counts, await self._counts()
            if previous == counts:
                break
        return Sample(await self._rules(), *counts, filter_rules=await self._filter_rules())

    async def _counts(self) -> tuple[dict[str, PacketCounts], dict[str, PacketCounts]]:
        links = await asyncio.to_thread(read_counts, self._near)
        return links, {} if self._evidence.shared else await asyncio.to_thread(read_counts, self._server)

    async def _rules(self) -> tuple[str, ...]:
        if self._evidence.rules_error:
            return ()
        listing = await read_nat_listing(self._near, self._backend, ipv6=":" in self._path.address)
        if listing.error:
            reason = f"the machine's nat rules cannot be read: {listing.error}"
            self._evidence = replace(self._evidence, rules_error=reason)
        return tuple(listing.text.splitlines())

    async def _filter_rules(self) -> tuple[str, ...]:
        if not self._evidence.filtered:
            return ()
        listing = await read_counted_listing(self._near, self._backend, ipv6=":" in self._path.address)
        if listing.error:
            reason = f"the machine's rules cannot be read: {listing.error}"
            self._evidence = replace(self._evidence, filter_error=reason)
        return tuple(listing.text.splitlines())

    async def _run_tool(self, *argv: str) -> tuple[int, tuple[str, ...]]:
        """Runs a program of this machine in the namespace ``near``. Returns the program's exit code (-1 if it is
        unknown) and the lines of its output."""
        codes: list[int | None] = []
        output = run_inside(
            self._near, argv, timeout_s=TOOL_TIMEOUT_S, limit_bytes=MAX_TOOL_BYTES, on_exit=codes.append
        )
        async with aclosing(output) as pieces:
            lines = "".join([text async for text in pieces]).splitlines()
        return (codes[0] if codes and codes[0] is not None else -1), tuple(lines)
