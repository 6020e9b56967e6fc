"""A process with a lab and no pages: ``./netmodes up --role lab``."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from dashboard.lab.remote.rpc_server import RpcServer
from dashboard.lab.remote.wakeups import LAB, WakeupChannel, WakeupPublisher
from dashboard.lab.supervisor import Supervisor

#: The exit code if another lab has taken over.
REPLACED = 1


async def run_lab(data_dir: Path, say: Callable[[str], None], ready: Callable[[str], None]) -> int:
    """Runs until Ctrl-C, which stops all experiments, or SIGTERM, which leaves them to the next lab. Returns the exit
    code."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(code: int) -> None:
        if not ended.done():
            ended.set_result(code)

    wakes = WakeupChannel()
    supervisor = Supervisor(WakeupPublisher(wakes))
    team = RpcServer(supervisor, wakes, lambda: end(-REPLACED))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, int(number))
    await wakes.open((LAB,), team.heard)
    await supervisor.open_lab(data_dir, say)
    await team.start()
    try:
        context = supervisor.context
        ready(f"Docker Engine {context.info.version}" if context is not None else supervisor.problem)
        code = await ended
    finally:
        await team.close()
        await supervisor.close_lab(say, leave=not ended.done() or ended.result() != signal.SIGINT)
        await wakes.close()
    return REPLACED if code == -REPLACED else 0
