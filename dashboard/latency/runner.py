"""Runs a measurement: interleaves blocks of all series until the intervals are narrow, the time is up or it is
cancelled."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboard.core.measurements.measurement import MAX_BLOCKS, Block, Options, Probe, Stop
from dashboard.core.measurements.remote.blocks import RemoteBlock, client_command, make_block, read_block
from dashboard.core.measurements.schedule import (
    BlockPlan,
    Series,
    choose_baselines,
    needs_responder,
    order_of_rounds,
    plan_blocks,
    remaining_s,
    round_interval_s,
)
from dashboard.core.measurements.verdicts import decide_stop
from dashboard.core.paths.model import MACHINE_KEY, PathKind
from dashboard.latency.children import Child, ChildEnded
from dashboard.latency.environment import pick_cores
from dashboard.latency.remote_clients import ClientLostError, RemoteClients

_MOST_RESTARTS = 3
_FAILURES_IN_A_ROW = 3
_ANSWER_S = 5.0
_TIME_UP = "The time of {:g} s is up."
_FULL = f"Another round would exceed {MAX_BLOCKS:,} blocks, the limit of a report."


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run after a block. ``rounds`` counts the complete rounds, with one block of each series."""

    rounds: int
    elapsed_s: float
    remaining_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. ``reason`` is a sentence. ``refused`` maps the keys of abandoned series to reasons.
    ``waited_us`` maps the keys of delayed series to lists: the responder's median delay in each block."""

    stopped: Stop
    reason: str
    elapsed_s: float
    rounds: int
    refused: dict[str, str] = field(default_factory=dict)
    waited_us: dict[str, list[float]] = field(default_factory=dict)


OnBlock = Callable[[Block], Awaitable[None]]
OnProgress = Callable[[Progress], None]


async def run_measurement(
    series: Sequence[Series],
    namespaces: Mapping[str, int],
    options: Options,
    *,
    seed: int,
    on_block: OnBlock,
    on_progress: OnProgress | None = None,
    remote_clients: RemoteClients | None = None,
    refused: dict[str, str] | None = None,
) -> Outcome:
    """Runs a measurement. ``namespaces`` maps keys of columns to descriptors of their network namespaces. ``seed``
    determines the order of the series in each round. ``on_block`` is awaited with each block before the next one
    starts. A block that failed has an ``error``. An exception of ``on_block`` ends the run and is raised. A
    cancellation ends the run at once and leaves no process. ``refused``, that of the outcome, is filled even then."""
    run = _Run(series, namespaces, options, on_block, on_progress, remote_clients, {} if refused is None else refused)
    try:
        return await run.go(seed)
    finally:
        await run.end()


class _Run:
    def __init__(
        self,
        series: Sequence[Series],
        namespaces: Mapping[str, int],
        options: Options,
        on_block: OnBlock,
        on_progress: OnProgress | None,
        remote_clients: RemoteClients | None,
        refused: dict[str, str],
    ) -> None:
        self._series = {one.key: one for one in series}
        self._baselines = choose_baselines(series)
        ends = (key for one in series for key in (one.path.client, one.path.server))
        columns = dict.fromkeys(key for key in ends if not key.startswith(MACHINE_KEY))
        self._place = {key: number for number, key in enumerate(columns)}
        self._fds = [namespaces[key] for key in columns]
        self._options, self._remote_clients = options, remote_clients
        self._plans = plan_blocks(series, options)
        self._on_block = on_block
        self._on_progress = on_progress
        self._cores = pick_cores()
        self._children: dict[str, Child] = {}
        self._listeners: dict[str, dict[str, int]] = {}
        self._blocks: dict[str, list[Block]] = {key: [] for key in self._series}
        self._refused = refused
        self._waited: dict[str, list[float]] = {}
        self._failures = dict.fromkeys(self._series, 0)
        self._restarts = 0
        self._began = asyncio.get_running_loop().time()

    def _elapsed(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    def _outcome(self, stopped: Stop, reason: str, rounds: int) -> Outcome:
        return Outcome(stopped, reason, self._elapsed(), rounds, self._refused, self._waited)

    async def go(self, seed: int) -> Outcome:
        rounds = 0
        try:
            await self._start()
            self._began = asyncio.get_running_loop().time()
            for order in order_of_rounds(tuple(self._series), seed):
                started = self._elapsed()
                for key in order:
                    if key not in self._refused:
                        await self._step(key, rounds)
                    if self._elapsed() >= self._options.seconds:
                        break
                else:
                    rounds += 1
                if len(self._refused) == len(self._series):
                    reason = " ".join(dict.fromkeys(self._refused.values())) or "There is no path to measure."
                    return self._outcome(Stop.FAILED, reason, rounds)
                elapsed, limit = self._elapsed(), self._options.seconds
                stop = decide_stop(self._blocks, self._baselines, self._options, rounds=rounds, elapsed_s=elapsed)
                if stop is Stop.NARROW:
                    return self._outcome(stop, f"Every interval is at most {self._options.width_us:g} µs wide.", rounds)
                if stop is not None:
                    reason = _TIME_UP.format(limit) if elapsed >= limit else _FULL
                    return self._outcome(stop, reason, rounds)
                if not await self._wait_for_round(started):
                    return self._outcome(Stop.TIME, _TIME_UP.format(limit), rounds)
        except ChildEnded as ended:
            return self._outcome(Stop.FAILED, str(ended), rounds)
        raise AssertionError("the rounds do not end by themselves")

    async def _wait_for_round(self, started: float) -> bool:
        """Waits until the round after the one that ``started`` may start. Returns False if no time is left for it."""
        measured = [one for key, one in self._series.items() if key not in self._refused]
        limit = self._options.seconds
        next_at = min(started + round_interval_s(measured, limit), limit)
        await asyncio.sleep(max(0.0, next_at - self._elapsed()))
        return self._elapsed() < limit

    async def _start(self) -> None:
        """Starts the processes, and opens a listener for each series that needs one."""
        client_core, responder_core = self._cores
        names = {"client": client_core}
        if any(needs_responder(one.probe) for one in self._series.values()):
            names["responder"] = responder_core
        if self._options.under_load:
            names["load"] = client_core
        for name, core in names.items():
            module = "client" if name == "load" else name
            self._children[name] = await Child.start(module, self._fds, core, self._options.conditions)
        self._listeners.clear()
        opened: dict[tuple[str, str, int], dict[str, int]] = {}
        for key, one in self._series.items():
            if needs_responder(one.probe) and key not in self._refused:
                kinds = {"udp" if one.probe is Probe.UDP_RR else "tcp"} | (
                    {"tcp"} if self._options.under_load else set()
                )
                self._listeners[key] = {}
                for kind in sorted(kinds):
                    await self._open(key, one, kind, opened)

    async def _open(self, key: str, one: Series, kind: str, opened: dict[tuple[str, str, int], dict[str, int]]) -> None:
        path = one.path
        wanted = path.server_port if path.fixed else 0
        where = (path.server, kind, wanted)
        if where not in opened:
            place = self._place[path.server]
            answer = await self._children["responder"].ask(do="open", place=place, kind=kind, port=wanted)
            if "error" in answer:
                self._refused[key] = (
                    f"The responder cannot listen on port {wanted}/{kind} of {path.server}: {answer['error']}."
                )
                return
            opened[where] = answer
        self._listeners[key][kind] = opened[where]["listener"]
        self._listeners[key][f"{kind} port"] = opened[where]["port"]

    def _port(self, series: Series, kind: str) -> int:
        if not needs_responder(series.probe) or series.path.fixed:
            return series.path.udp_port if kind == "udp" else series.path.port
        return self._listeners[series.key][f"{kind} port"]

    def _may_be_blocked(self, key: str) -> bool:
        """Returns whether firewall rules probably block the path of the series, so that more blocks would fail, too."""
        return self._series[key].path.kind is PathKind.LAN_CONTAINER and all(one.error for one in self._blocks[key])

    async def _step(self, key: str, number: int) -> None:
        """Runs one block of a series in the round ``number`` and reports it. Restarts processes that ended, and
        abandons a series that keeps failing."""
        one = self._series[key]
        started = self._elapsed()
        try:
            answer = await self._measure(one, self._plans[key])
        except ChildEnded as ended:
            answer = {"error": str(ended)}
            await self._end_children()
        block = read_block(answer, key, number, started, self._elapsed() - started)
        self._blocks[key].append(block)
        await self._on_block(block)
        self._failures[key] = self._failures[key] + 1 if block.error else 0
        if self._failures[key] >= _FAILURES_IN_A_ROW:
            self._refused[key] = f"Abandoned after {_FAILURES_IN_A_ROW} failed blocks in a row: {block.error}"
        elif block.error and self._may_be_blocked(key):
            self._refused[key] = f"Abandoned after the first block failed: {block.error}"
        if self._on_progress is not None:
            elapsed = self._elapsed()
            self._on_progress(Progress(number, elapsed, remaining_s(self._options, elapsed)))
        if not self._children:
            self._restarts += 1
            if self._restarts > _MOST_RESTARTS:
                raise ChildEnded(f"{block.error} It was restarted {_MOST_RESTARTS} times.")
            await self._start()

    async def _measure(self, series: Series, plan: BlockPlan) -> dict[str, Any]:
        options, payload = self._options, self._options.payload_of(series.probe)
        responder, client = self._children.get("responder"), self._children["client"]
        kind = "udp" if series.probe in {Probe.UDP_RR, Probe.DNS} else "tcp"
        loaded = False
        if options.under_load and responder is not None:
            if error := await self._load(series, responder):
                return {"error": error}
            loaded = True
        if needs_responder(series.probe) and responder is not None:
            listener = self._listeners[series.key][kind]
            served = await responder.ask(
                do="serve", listener=listener, probe=series.probe, payload=payload, wait_ns=series.busy_wait_ns
            )
            if "error" in served:
                return {"error": f"The responder cannot serve: {served['error']}."}
        block = make_block(series, plan, options, self._port(series, kind))
        limit = block.longest_s + _ANSWER_S
        if series.path.client.startswith(MACHINE_KEY):
            answer = await self._ask_machine(series.path.client, block, limit)
        else:
            place, name = self._place[series.path.client], options.lookup_name
            answer = await client.ask(within_s=limit, do="block", place=place, name=name, **client_command(block))
        if needs_responder(series.probe) and responder is not None:
            rested = await responder.rest()
            if "waited_ns" in rested:
                self._waited.setdefault(series.key, []).append(rested["waited_ns"] / 1000)
        if loaded:
            await self._children["load"].rest()
        return answer

    async def _ask_machine(self, client: str, block: RemoteBlock, limit_s: float) -> dict[str, Any]:
        """Returns the answer of a client on another machine. If the client no longer answers, abandons all series of
        that client."""
        if self._remote_clients is None:
            return {"error": "Clients on other machines cannot be used here."}
        try:
            return await self._remote_clients.ask(client.removeprefix(MACHINE_KEY), block, limit_s)
        except ClientLostError as lost:
            self._refused |= {key: str(lost) for key, one in self._series.items() if one.path.client == client}
            return {"error": str(lost)}

    async def _load(self, series: Series, responder: Child) -> str:
        """Starts the stream that saturates the path. Returns a sentence if that fails; empty if it succeeds."""
        timeout, load = self._options.timeout_s, self._children["load"]
        ready = await responder.ask(do="sink", listener=self._listeners[series.key]["tcp"], timeout_s=timeout)
        if "error" in ready:
            return f"The responder cannot accept the load stream: {ready['error']}."
        answer = await load.ask(
            within_s=_ANSWER_S + timeout,
            do="load",
            place=self._place[series.path.client],
            address=series.path.address,
            port=self._port(series, "tcp"),
            timeout_s=timeout,
        )
        sunk = await responder.receive(_ANSWER_S + timeout)
        if "error" in sunk and "error" not in answer:
            await load.rest()
        return str(answer.get("error") or sunk.get("error") or "")

    async def _end_children(self) -> None:
        children = list(self._children.values())
        self._children.clear()
        for one in children:
            await one.end()

    async def end(self) -> None:
        """Ends all processes, even if the caller is cancelled meanwhile."""
        await asyncio.shield(asyncio.ensure_future(self._end_children()))
