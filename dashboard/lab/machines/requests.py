"""Requests from one machine to another: the lab of the client's machine sends them, and the lab of the experiment
observes which client addresses its servers see."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack, suppress
from functools import partial

from dashboard.core.experiments.journal import Attempt
from dashboard.core.experiments.networks import network_name
from dashboard.core.modes import MACHINE, Mode
from dashboard.core.namespaces.resolver import DOCKER_SERVER
from dashboard.core.namespaces.state import NamespaceState, Resolver
from dashboard.core.paths.clients.machines import address_problem, visible_part
from dashboard.core.paths.clients.overlay import name_problem, overlay_problem
from dashboard.lab.experiments.actions import (
    TIMEOUT_S,
    NotRunningError,
    column_namespace,
    running_driver,
    try_all_paths,
)
from dashboard.lab.experiments.multicast import COLUMN_GONE
from dashboard.lab.experiments.observer import ObservationTarget, Observer
from dashboard.lab.reconciler import Lab
from dashboard.netns.lookup import lookup
from dashboard.netns.namespace import Namespace, NamespaceGone, in_own_thread
from dashboard.netns.netlink.framing import MalformedMessage
from dashboard.netns.netlink.listeners import open_diag_socket, read_connections
from dashboard.netns.request import Reply, request

#: Seconds between opening a connection and sending the request, so that the lab of the server can observe it.
HOLD_S = 0.15
WATCH_STEP_S = 0.02
#: The maximum duration of ``watch_clients`` in seconds, and the maximum number of connections that it reports.
WATCH_S = 50.0
MAX_SEEN = 1000


async def view_machine(lab: Lab) -> NamespaceState:
    """Returns the interfaces and routes of this lab's machine. Raises ValueError with a message if they cannot be
    read."""
    info = lab.context.info
    if info.pid is None:
        raise ValueError(f"It sends no requests: {info.invisible}.")
    observer = Observer(lab.context.watches, lambda: lab.context.info.pid, lambda _changed: None)
    target = ObservationTarget(MACHINE, info.pid, MACHINE, "", "", netns=info.netns, empty=True)
    try:
        return visible_part(await observer.add(target))
    except (NamespaceGone, OSError) as error:
        raise ValueError("It sends no requests: its network stack cannot be read.") from error
    finally:
        await observer.close()


async def machine_namespace(lab: Lab, address: str) -> Namespace:
    """Opens the network stack of this lab's machine, for requests to ``address`` on another machine. Raises ValueError
    with a message if requests to it are not permitted."""
    if problem := address_problem(await view_machine(lab), address):
        raise ValueError(problem)
    info = lab.context.info
    try:
        return await in_own_thread(partial(Namespace.of_machine, info.pid or 0, info.netns), Namespace.close)
    except (NamespaceGone, OSError) as error:
        raise ValueError("It sends no requests: its network stack cannot be read.") from error


async def request_address(lab: Lab, address: str, port: int) -> Reply:
    """Sends one HTTP request from this machine to an address of another machine. Raises ValueError with a message if
    requests to it are not permitted."""
    with await machine_namespace(lab, address) as namespace:
        return await request(namespace, address, port, timeout_s=TIMEOUT_S, on_connected=_hold)


async def _hold(_client: str) -> None:
    await asyncio.sleep(HOLD_S)


async def arm_namespace(lab: Lab, experiment: str, column: str, address: str) -> Namespace:
    """Opens the network stack of an arm in overlay mode, for requests to another machine.

    ``address`` is the destination: an address in the overlay network that the experiment's machines share. Raises
    ValueError with a message if such requests are not permitted. Only this lab's own record and its own view of the arm
    decide what is permitted: data from another lab is not trusted.
    """
    try:
        driver = running_driver(lab, experiment)
    except NotRunningError as error:
        raise ValueError(str(error)) from error
    view, whole = driver.view, driver.record.parent
    arm = next((one for one in view.columns if one.key == column), None) if whole is not None else None
    network = network_name(whole or "", Mode.OVERLAY)
    if problem := overlay_problem(arm, view.states.get(column), network, address):
        raise ValueError(problem)
    namespace = column_namespace(lab, driver, column)
    if namespace is None:
        raise ValueError(COLUMN_GONE)
    return namespace.duplicate()


async def request_from_arm(lab: Lab, experiment: str, column: str, address: str, port: int, name: str) -> Reply:
    """Sends one HTTP request from an arm in overlay mode, and returns the reply.

    ``name`` is empty or the name of an arm of the experiment. If it is given, Docker's resolver in the sending arm must
    resolve it to ``address``; otherwise, the reply contains an error. Raises ValueError with a message if the request
    is not permitted.
    """
    with await arm_namespace(lab, experiment, column, address) as namespace:
        if name:
            if problem := name_problem(name, running_driver(lab, experiment).record.spec.names):
                raise ValueError(problem)
            found = await lookup(namespace, name, Resolver((DOCKER_SERVER,)), ())
            if address not in found.answers:
                # The address that was found is not reported: it may be outside the overlay network.
                shown = "it has another address" if found.answers else found.outcome
                return Reply(None, error=f"The name {name} does not resolve to {address}: {shown}.")
        return await request(namespace, address, port, host=name, timeout_s=TIMEOUT_S, on_connected=_hold)


async def watch_clients(lab: Lab, experiment: str, servers: tuple[tuple[str, int], ...]) -> AsyncGenerator[str]:
    """Watches for new connections to servers of an experiment. ``servers`` are pairs of a column's key and a port.
    Streams one line of JSON for each connection: the column's key, and the client's address as the server sees it. Ends
    after ``WATCH_S`` seconds or ``MAX_SEEN`` connections. Raises NotRunningError if the experiment is not running."""
    driver = running_driver(lab, experiment)
    opened: list[tuple[str, int, socket.socket]] = []
    with ExitStack() as stack:
        for key, port in dict.fromkeys(servers):
            namespace = column_namespace(lab, driver, key)
            if namespace is not None:
                with suppress(NamespaceGone, OSError):
                    found = await namespace.arun(open_diag_socket, discard=socket.socket.close)
                    opened.append((key, port, stack.enter_context(found)))
        known = {(key, peer) for key, port, diag in opened for peer in _peers(diag, port)}
        return _watch(opened, known, stack.pop_all())


async def _watch(
    opened: Sequence[tuple[str, int, socket.socket]], known: set[tuple[str, str]], sockets: ExitStack
) -> AsyncGenerator[str]:
    """Yields one line of JSON for each connection that is not in ``known``, which contains pairs of a column's key and
    a client's address. ``opened`` are triples of a column's key, a port, and a sock_diag socket of the column's
    namespace. ``sockets`` closes these sockets at the end."""
    loop, most = asyncio.get_running_loop(), len(known) + MAX_SEEN
    end = loop.time() + WATCH_S
    with sockets:
        while loop.time() < end and len(known) < most:
            for key, port, diag in opened:
                for peer in _peers(diag, port):
                    if (key, peer) not in known:
                        known.add((key, peer))
                        yield json.dumps([key, peer]) + "\n"
            await asyncio.sleep(WATCH_STEP_S)


def _peers(diag: socket.socket, port: int) -> list[str]:
    try:
        return [connection.peer for connection in read_connections(diag, port) if connection.local_port == port]
    except (OSError, MalformedMessage):
        return []


async def try_with(lab: Lab, experiment: str, multicast: bool, attempts: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
    """Requests the service of a running experiment over every path (see ``actions.try_paths``). Stores and returns the
    results, together with ``attempts``: the results of requests from other machines."""
    return await try_all_paths(lab, experiment, multicast=multicast, others=attempts)
