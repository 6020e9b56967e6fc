"""Runs a process with a lab and no pages: ``./netmodes up --role lab``."""

import asyncio
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

from django.db.backends.signals import connection_created

from dashboard import interrupts
from dashboard.core.experiments.engine_kind import describe_engine
from dashboard.core.operations.machines import SERVER
from dashboard.lab.experiments.journal_writer import Publisher
from dashboard.lab.remote.nats_connection import WEB_JOURNALS, NatsConnection
from dashboard.lab.remote.rpc_server import RpcServer
from dashboard.lab.remote.wakeups import WakeupChannel
from dashboard.lab.supervisor import Supervisor
from dashboard.store.database import limit_waiting
from dashboard.store.machines import here

#: The exit code of a lab that ends because another lab has taken over.
REPLACED = 1
#: The signals that stop the experiments of a lab.
STOPPING = (signal.SIGINT, signal.SIGHUP)


async def run_lab(data_dir: Path, say: Callable[[str], None], ready: Callable[[str], None]) -> int:
    """Runs a lab until a signal arrives or another lab takes over.

    Ctrl-C, or the closing of the terminal, stops all experiments. SIGTERM leaves them running for the next lab. A few
    seconds after the first signal, another one ends the process at once. Returns the exit code: ``REPLACED`` if another
    lab has taken over, otherwise 0. ``say`` is called with messages for the user. ``ready`` is called once at the
    start, with the name of the engine. If the lab is not open yet, ``ready`` is called with the reason.
    """
    connection_created.connect(limit_waiting)
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(code: int) -> None:
        if not ended.done():
            ended.set_result(code)

    def on_signal(number: int) -> None:
        if interrupts.is_first(number):
            end(number)

    nats = NatsConnection()
    wakeups = WakeupChannel(nats)
    supervisor = Supervisor(Publisher(partial(wakeups.send, f"{WEB_JOURNALS}.{here() or SERVER}")))
    server = RpcServer(supervisor, nats, wakeups, lambda: end(-REPLACED))
    for number in interrupts.SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, on_signal, number)
    await wakeups.open()
    await nats.open()
    await supervisor.open_lab(data_dir, say)
    await server.start()
    try:
        context = supervisor.context
        ready(describe_engine(context.info.kind, context.info.version) if context is not None else supervisor.problem)
        code = await ended
    finally:
        await server.close()
        await supervisor.close_lab(say, leave=not ended.done() or ended.result() not in STOPPING)
        await wakeups.close()
        await nats.close()
    return REPLACED if code == -REPLACED else 0
