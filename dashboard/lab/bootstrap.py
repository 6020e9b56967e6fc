"""Prepares what a lab needs: a connection to the Engine, and the lab's ``Context``. If no engine answers, starts one on
a private host."""

import os
import shutil
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from django.conf import settings

from dashboard import configuration
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.protocol import EngineError, EngineInfo, EngineUnreachable
from dashboard.interrupts import uninterrupted
from dashboard.lab.context import Context
from dashboard.lab.engine.keeper import EngineKeeper
from dashboard.lab.experiments.journal_writer import Publisher
from dashboard.lab.watch_pool import WatchPool
from dashboard.store.database import DatabaseThread
from dashboard.store.installation import installation_id
from dashboard.store.operations.database_clock import shared_clock

DEFAULT_ENDPOINT = "unix:///var/run/docker.sock"


def endpoint() -> str:
    """Returns the address of the Engine's API: the value of ``DOCKER_HOST`` or, if it is not set, the default
    socket."""
    return os.environ.get("DOCKER_HOST") or DEFAULT_ENDPOINT


async def open_engine(
    stack: AsyncExitStack, data_dir: Path, say: Callable[[str], None], *, may_start_private: bool = True
) -> tuple[DockerEngine, EngineInfo, EngineKeeper | None]:
    """Connects to the engine at ``endpoint()``. If none answers, starts a private host and connects to its engine.

    Returns the connection, what the engine reports about itself, and the ``EngineKeeper`` of the private host. The
    ``EngineKeeper`` is None if no host was started. Callers should use the returned ``EngineInfo`` and not request it
    again: each request is slow, because the Engine runs other programs to answer it.

    A host is started only if ``may_start_private`` is true, the process is root, dockerd is installed and
    ``DOCKER_HOST`` is not set. Otherwise, EngineError is raised. When ``stack`` is closed, the connection is closed and
    the host is stopped. The host also ends with this process. ``say`` is called with messages for the user. Raises
    PrivateHostError if the host does not start.
    """
    engine = DockerEngine(endpoint())
    try:
        info = await engine.info()
    except EngineError as error:
        await engine.close()
        if (
            not isinstance(error, EngineUnreachable)
            or not may_start_private
            or os.environ.get("DOCKER_HOST")
            or os.geteuid() != 0
            or shutil.which("dockerd") is None
        ):
            raise
        say(f"No Docker Engine answers at {endpoint()}.")
        say("To use the machine's own, start it first (systemctl start docker).")
        say("Starting a private host: a separate engine in its own network namespace.")
        await private_host.adopt(data_dir)
        host = await private_host.start(data_dir, die_with_parent=True)
        keeper = EngineKeeper(host, time.time)
        stack.push_async_callback(lambda: uninterrupted(keeper.close()))
        keeper.open()
        engine = DockerEngine(host.endpoint, describe_loss=keeper.describe_loss, host=host)
        stack.push_async_callback(engine.close)
        return engine, await engine.info(), keeper
    stack.push_async_callback(engine.close)
    return engine, info, None


async def open_context(
    stack: AsyncExitStack,
    data_dir: Path,
    say: Callable[[str], None],
    publisher: Publisher | None = None,
    *,
    may_start_private: bool = True,
) -> Context:
    """Connects to the engine and the database, and returns the lab's ``Context``. Everything is closed when ``stack``
    is closed. Without a ``publisher``, changes are not announced. For the other arguments and the errors, see
    ``open_engine``."""
    database = DatabaseThread()
    stack.callback(database.close)
    engine, info, keeper = await open_engine(stack, data_dir, say, may_start_private=may_start_private)
    await database.run(shared_clock.synchronize)
    installation = await database.run(installation_id)
    configuration.note_installation(data_dir, settings.DATABASE_URL, installation)
    watches = WatchPool()
    stack.push_async_callback(watches.close)
    hosts = private_host.list_hosts(data_dir)
    private = keeper is not None or any(f"unix://{host.socket}" == info.endpoint for host in hosts)
    return Context(
        engine=engine,
        info=info,
        private=private,
        installation=installation,
        data_dir=data_dir,
        database=database,
        publisher=publisher or Publisher(),
        watches=watches,
        clock=shared_clock,
        temporary=keeper is not None,
        keeper=keeper,
    )
