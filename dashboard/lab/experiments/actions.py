"""Actions on a running experiment: requests the service over every path, and runs a command in a column's
namespaces."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial

from dashboard.core.experiments.inspect_commands import argv_for
from dashboard.core.experiments.journal import Attempt
from dashboard.core.modes import MACHINE
from dashboard.core.paths.model import FILTERED_KINDS, Path
from dashboard.core.paths.requests import new_attempt, requested_paths
from dashboard.lab.experiments.concurrency import run_staggered
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.lab.experiments.first_packet import explain_drop
from dashboard.lab.experiments.multicast import COLUMN_GONE, try_multicast
from dashboard.lab.reconciler import Lab
from dashboard.netns.exec_tool import run_inside
from dashboard.netns.files import read_name_files
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.request import Reply, request

TIMEOUT_S = 3.0
#: The timeout of requests that cross the machine's firewall. It can be short: on a LAN a response arrives at once, and
#: a request that a rule drops is repeated to find the rule.
FILTERED_TIMEOUT_S = 1.0
#: If a request is not answered within this time, the next one starts meanwhile.
STAGGER_S = 0.25
#: The total time, in seconds, for repeating dropped requests to find the rules that drop them.
EXPLAIN_S = 8.0


class NotRunningError(Exception):
    """The experiment is not running; ``str()`` is a message for the user."""


def running_driver(lab: Lab, experiment: str) -> ExperimentDriver:
    """Returns the driver of an experiment. Raises NotRunningError if the experiment is not running."""
    driver = lab.driver_of(experiment)
    if driver is None or not (driver.observer.keys or any(column.invisible for column in driver.view.columns)):
        raise NotRunningError("This experiment is not running: launch it again first.")
    return driver


async def try_paths(lab: Lab, experiment: str, multicast: bool = False) -> tuple[Attempt, ...]:
    """Requests the service of a running experiment over every path. Stores the results and returns them.

    If ``multicast`` is true, also sends datagrams to a multicast group over the machine's links. The requests are sent
    one after the other, so that they do not disturb each other. If a request is not answered within ``STAGGER_S``
    seconds, the next one is sent without waiting longer. Many dropped requests therefore take little longer than one.
    Raises NotRunningError.
    """
    return await try_all_paths(lab, experiment, multicast=multicast)


async def try_all_paths(
    lab: Lab, experiment: str, *, multicast: bool, others: tuple[Attempt, ...] = ()
) -> tuple[Attempt, ...]:
    """Requests the service of a running experiment over every path (see ``try_paths``). Stores and returns the results,
    together with ``others``: the results of requests from other machines."""
    driver = running_driver(lab, experiment)
    # The paths follow from the firewall's rules, which are not watched for changes.
    await driver.observer.settle()
    paths = requested_paths(driver.view.columns, driver.view.states)
    sent = await run_staggered([partial(_attempt, lab, driver, path) for path in paths], STAGGER_S)
    attempts = await _explain(lab, driver, list(zip(paths, sent, strict=True)))
    if multicast:
        attempts += await try_multicast(driver.view, lambda key: column_namespace(lab, driver, key))
    attempts += others
    driver.record_attempts(attempts)
    return attempts


def column_namespace(lab: Lab, driver: ExperimentDriver, key: str) -> Namespace | None:
    """Returns the open network namespace of a column; None if the column is no longer observed."""
    inode = driver.observer.inode(key)
    return None if inode is None else lab.context.watches.namespace(inode)


async def _attempt(lab: Lab, driver: ExperimentDriver, path: Path) -> Attempt:
    attempt = new_attempt(path)
    if path.unavailable:
        return attempt
    try:
        reply = await _send(lab, driver, path)
    except NamespaceGone:
        return replace(attempt, error="The container ended during the request.")
    if reply is None:
        return replace(attempt, error=COLUMN_GONE)
    return replace(
        attempt,
        status=reply.status,
        reason=reply.reason,
        body_start=reply.body_start,
        time_us=reply.time_us,
        client_seen=reply.client_seen or "",
        error=reply.error or "",
    )


async def _send(lab: Lab, driver: ExperimentDriver, path: Path) -> Reply | None:
    """Sends a request over the path and returns the response; None if the client's column is gone."""
    client, server = (column_namespace(lab, driver, key) for key in (path.client, path.server))
    if client is None:
        return None
    timeout_s = FILTERED_TIMEOUT_S if path.kind in FILTERED_KINDS else TIMEOUT_S
    return await request(
        client, path.address, path.port, server=server, server_port=path.server_port, timeout_s=timeout_s
    )


async def _explain(lab: Lab, driver: ExperimentDriver, sent: Sequence[tuple[Path, Attempt]]) -> tuple[Attempt, ...]:
    """Returns the attempts in ``sent``, with an explanation of those that failed on a path through the machine's
    firewall.

    The explanation is the rule that dropped the request, or the kernel's reason. To find it, the failed requests are
    repeated one at a time, for at most ``EXPLAIN_S`` seconds in total. Attempts that were not repeated in this time get
    no explanation.
    """
    explained = [attempt for _path, attempt in sent]
    with suppress(TimeoutError):
        async with asyncio.timeout(EXPLAIN_S):
            for number, (path, attempt) in enumerate(sent):
                machine, client = (column_namespace(lab, driver, key) for key in (MACHINE, path.client))
                if not attempt.error or path.kind not in FILTERED_KINDS or machine is None or client is None:
                    continue
                backend, private = lab.context.info.firewall_backend, lab.context.private
                with suppress(NamespaceGone, OSError):
                    dropped = await explain_drop(client, machine, path, backend, private=private)
                    explained[number] = replace(attempt, error=" ".join(filter(None, (attempt.error, dropped))))
    return tuple(explained)


async def inspect(lab: Lab, experiment: str, column: str, command: str, name: str = "") -> AsyncGenerator[str]:
    """Runs a command in the namespaces of a column and streams its output. ``command`` is one of the inspection
    commands that pages and workshops offer. ``name`` is the command's argument, such as a host name.

    Raises NotRunningError, or ValueError with a message for the user, before the command starts.
    """
    driver = running_driver(lab, experiment)
    target = driver.observer.target(column)
    if target is None and lab.context.info.invisible:
        raise ValueError(
            f"Commands cannot run in the namespaces of this engine: {lab.context.info.invisible}. "
            "Run Netmodes on the machine of the engine."
        )
    if target is None:
        raise ValueError(
            f"There is no running column “{column[:40]}”: choose one of {', '.join(driver.observer.keys)}."
        )
    argv = argv_for(command, name)
    namespace = column_namespace(lab, driver, column)
    if namespace is None:
        raise NotRunningError(COLUMN_GONE)
    pid = target.engine_pid or lab.context.info.pid or 1
    resolv_conf, hosts, unread = await asyncio.to_thread(read_name_files, pid, target.resolv_conf, target.hosts)
    if shutil.which(argv[0]) is None and shutil.which("busybox") is not None:
        argv = ("busybox", *argv)
    return _until_gone(run_inside(namespace, argv, resolv_conf=resolv_conf, hosts=hosts), unread)


async def _until_gone(pieces: AsyncGenerator[str], first: str) -> AsyncGenerator[str]:
    """Yields ``first`` unless it is empty, then the output of a command, or a message if the column was removed before
    the command began."""
    async with aclosing(pieces):
        if first:
            yield first
        try:
            async for text in pieces:
                yield text
        except NamespaceGone:
            yield f"\n[{COLUMN_GONE}]\n"
