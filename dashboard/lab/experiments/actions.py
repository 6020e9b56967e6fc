"""What a person asks of a running experiment: try the service, run a command in a column."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from dashboard.core.experiments.inspect_commands import argv_for
from dashboard.core.paths.try_paths import Attempt, Way, ways
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.lab.reconciler import Lab
from dashboard.netns.exec_tool import run_inside
from dashboard.netns.files import read_inside
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.request import request


class NotRunningError(Exception):
    """The experiment does not run here now; ``str()`` is a sentence."""


def running_run(lab: Lab, experiment: str) -> ExperimentDriver:
    """NotRunningError if it does not run here now."""
    run = lab.driver_of(experiment)
    if run is None or not run.observer.keys:
        raise NotRunningError("This experiment does not run now: launch it again first.")
    return run


async def try_ways(lab: Lab, experiment: str) -> tuple[Attempt, ...]:
    """Requests the service on every way that exists, one after the other, so that none disturbs another."""
    run = running_run(lab, experiment)
    return tuple([await _attempt(lab, run, way) for way in ways(run.view.columns, run.view.states)])


def _namespace(lab: Lab, run: ExperimentDriver, key: str) -> Namespace | None:
    inode = run.observer.inode(key)
    return None if inode is None else lab.context.watches.namespace(inode)


async def _attempt(lab: Lab, run: ExperimentDriver, way: Way) -> Attempt:
    base = Attempt(way.path, way.title, way.origin, way.server, way.url, way.curl, key=way.key)
    if way.unavailable:
        return replace(base, unavailable=way.unavailable)
    client, server = _namespace(lab, run, way.origin), _namespace(lab, run, way.server)
    if client is None:
        return replace(base, error="The column is not there any more.")
    try:
        reply = await request(client, way.address, way.port, server=server, server_port=way.server_port)
    except NamespaceGone:
        return replace(base, error="The container ended while it was asked.")
    return replace(
        base,
        status=reply.status,
        reason=reply.reason,
        body_start=reply.body_start,
        time_us=reply.time_us,
        client_seen=reply.client_seen or "",
        error=reply.error or "",
    )


async def inspect(lab: Lab, experiment: str, column: str, command: str, name: str = "") -> AsyncGenerator[str]:
    """The output of one of the workshop's commands in a column, as it prints.

    Checked before anything runs: NotRunningError, or ValueError with a sentence.
    """
    run = running_run(lab, experiment)
    subject = run.observer.target(column)
    if subject is None:
        raise ValueError(f"There is no running column “{column[:40]}”: choose one of {', '.join(run.observer.keys)}.")
    argv = argv_for(command, name)
    namespace = _namespace(lab, run, column)
    if namespace is None:
        raise NotRunningError("The column is not there any more.")
    pid = lab.context.info.pid or 1
    resolv_conf = await asyncio.to_thread(read_inside, pid, subject.resolv_conf) if subject.resolv_conf else None
    hosts = await asyncio.to_thread(read_inside, pid, subject.hosts) if subject.hosts else None
    if shutil.which(argv[0]) is None and shutil.which("busybox") is not None:
        argv = ("busybox", *argv)
    return _while_it_lives(run_inside(namespace, argv, resolv_conf=resolv_conf, hosts=hosts))


async def _while_it_lives(pieces: AsyncGenerator[str]) -> AsyncGenerator[str]:
    """The output; a column that went away before the command began is said in its place."""
    async with aclosing(pieces):
        try:
            async for text in pieces:
                yield text
        except NamespaceGone:
            yield "\n[the column is not there any more]\n"
