"""Requests over all paths of an experiment, including those from other machines (the button “Try”).

The lab of the machine that sends a request measures its duration. The experiment's lab reads which client address the
program sees. The two labs do not communicate, and no clocks are compared.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from dashboard.core.experiments.journal import Attempt
from dashboard.core.namespaces.addresses import format_endpoint
from dashboard.core.paths.clients.machines import MachineClient, without_trace
from dashboard.core.paths.clients.overlay import OverlayArm, name_problem
from dashboard.core.paths.model import MACHINE_KEY, Path, PathKind
from dashboard.core.paths.requests import new_attempt, requested_paths
from dashboard.lab.experiments import actions
from dashboard.lab.experiments.concurrency import run_staggered
from dashboard.lab.machines import requests
from dashboard.netns.request import Reply
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.web.http.database import to_db_thread
from dashboard.web.operations.machines.clients import CALL_ERRORS, arm_names, find_clients, row_of
from dashboard.web.service import service

#: If a request is not answered within this time, the next one starts meanwhile.
STAGGER_S = 0.5
#: The maximum duration of all requests from other machines together, in seconds.
LIMIT_S = 40.0
LATE = f"No request was sent, because the earlier requests took {LIMIT_S:g} s."


async def try_everywhere(experiment: str, *, multicast: bool) -> tuple[Attempt, ...]:
    """Sends a request over every path of an experiment, including the paths from clients on other machines.

    If ``multicast`` is true, also sends datagrams to a multicast group. Stores the results and returns them. Raises
    LabUnavailableError, and the errors of ``actions.try_paths``.
    """
    record = await to_db_thread(experiment_store.load, experiment)
    clients = () if record is None or record.host else await find_clients(record.machine, experiment)
    if not clients or record is None:
        return await service.ask_about(experiment, actions.try_paths, experiment, multicast)
    attempts = await _request_all(experiment, record.machine, clients)
    return await service.ask_on(record.machine, "", requests.try_with, experiment, multicast, attempts)


async def _request_all(experiment: str, machine: str | None, clients: Sequence[MachineClient]) -> tuple[Attempt, ...]:
    view, names = await to_db_thread(journal_store.view, experiment), await to_db_thread(arm_names, experiment)
    found = requested_paths(view.columns, view.states, clients)
    paths = [path for path in found if path.client.startswith(MACHINE_KEY) and _is_known(path, names)]
    servers = tuple(dict.fromkeys((path.server, path.server_port) for path in paths if path.address))
    arms, seen = {client.key: client.arm for client in clients}, SeenClients()
    # A path over the overlay network is requested by address and then by name.
    asked = [(path, name) for path in paths for name in _host_names(path, names)]
    watching = await service.ask_on(machine, "", requests.watch_clients, experiment, servers)
    reading = asyncio.ensure_future(seen.read(watching))
    try:
        end = asyncio.get_running_loop().time() + LIMIT_S
        sent = await run_staggered(
            [partial(_request, path, seen, end, arms.get(path.client), name) for path, name in asked], STAGGER_S
        )
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    return tuple(sent)


def _is_known(path: Path, names: Collection[str]) -> bool:
    """Returns whether a request may be sent over a path. A path over the overlay network must lead to an arm of the
    experiment, because a lab could have added other paths. ``names`` are the keys of these arms."""
    return path.kind is not PathKind.FROM_MACHINE_OVERLAY or path.server in names


def _host_names(path: Path, names: Collection[str]) -> tuple[str, ...]:
    """Returns the names by which to send requests over a path. An empty name stands for the path's address.

    The path's host name is included only if it is the key of an arm. ``names`` are the keys of the experiment's arms.
    """
    return ("",) if name_problem(path.host_name, names) else ("", path.host_name)


class SeenClients:
    """The client addresses that the programs have seen since the watch began, in the order of the connections."""

    def __init__(self) -> None:
        self._seen: dict[str, list[str]] = {}
        #: The addresses and ports from which clients on other machines have sent.
        self._own: set[str] = set()

    async def read(self, lines: AsyncGenerator[str]) -> None:
        """Collects the client addresses in the output of ``watch_clients``, until the output ends or this task is
        cancelled."""
        rest = ""
        async with aclosing(lines):
            async for text in lines:
                *complete, rest = (rest + text).split("\n")
                for line in complete:
                    if line.startswith('["'):  # skips messages, such as that the lab is unavailable
                        server, peer = json.loads(line)
                        self._seen.setdefault(server, []).append(peer)

    def count(self, server: str) -> int:
        """Returns the number of connections that the program in the column ``server`` has seen."""
        return len(self._seen.get(server, ()))

    def client_of(self, server: str, reply: Reply, before: int) -> str:
        """Returns the client address that the program in the column ``server`` saw for a request; empty if uncertain.

        ``before`` is the result of ``count`` before the request. Only addresses that were seen later are considered. If
        the client's own address is among them, it is the result. Otherwise a proxy or an address translation may have
        replaced it. Then, if the request was answered, the result is the one address that is no client's own.
        """
        if not reply.client:
            return ""
        self._own.add(reply.client)
        new = self._seen.get(server, [])[before:]
        if reply.client in new:
            return reply.client
        others = [peer for peer in new if peer not in self._own]
        return others[0] if len(others) == 1 and reply.status is not None else ""


async def _request(path: Path, seen: SeenClients, end: float, arm: OverlayArm | None = None, host: str = "") -> Attempt:
    """Sends a request over a path and returns the result.

    After ``end`` (loop time), sends no request and returns an error. Over an overlay network, the container ``arm``
    sends the request. ``host`` is the name to request, empty for the path's address.
    """
    attempt = without_trace(new_attempt(path))
    if host:
        url = f"http://{format_endpoint(host, path.port)}/"
        attempt = replace(attempt, title=f"{path.title}, by name", url=url, curl=f"curl -i {url}")
    if path.unavailable:
        return attempt
    if asyncio.get_running_loop().time() > end:
        return replace(attempt, error=LATE)
    before, lab = seen.count(path.server), row_of(path.client.removeprefix(MACHINE_KEY))
    target = path.address, path.port
    try:
        if path.kind is PathKind.FROM_MACHINE_OVERLAY and arm is not None:
            from_arm = arm.experiment, arm.column, *target, host
            reply = await service.ask_on(lab, "", requests.request_from_arm, *from_arm)
        else:
            reply = await service.ask_on(lab, "", requests.request_address, *target)
    except CALL_ERRORS as error:
        return replace(attempt, error=str(error))
    return replace(
        attempt,
        status=reply.status,
        reason=reply.reason,
        body_start=reply.body_start,
        time_us=reply.time_us,
        client_seen=seen.client_of(path.server, reply, before),
        error=reply.error or "",
    )
