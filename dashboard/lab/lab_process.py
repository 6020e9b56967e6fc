"""A lab without pages: ``./netmodes up --role lab``."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from dashboard.lab.remote.rpc_server import TeamLab
from dashboard.lab.remote.wakeups import LAB, WakePublisher, Wakes
from dashboard.lab.supervisor import Supervisor

#: The exit code of a lab whose place another has taken.
REPLACED = 1


async def run_lab(data_dir: Path, say: Callable[[str], None], ready: Callable[[str], None]) -> int:
    """Drives Docker until Ctrl-C, which stops what runs, or SIGTERM, which leaves it for the lab that comes next.
    Returns the exit code."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(code: int) -> None:
        if not ended.done():
            ended.set_result(code)

    wakes = Wakes()
    keeper = Supervisor(WakePublisher(wakes))
    team = TeamLab(keeper, wakes, lambda: end(-REPLACED))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, int(number))
    await wakes.open((LAB,), team.heard)
    await keeper.open_lab(data_dir, say)
    await team.start()
    try:
        context = keeper.context
        ready(f"Docker Engine {context.info.version}" if context is not None else keeper.problem)
        code = await ended
    finally:
        await team.close()
        await keeper.close_lab(say, leave=not ended.done() or ended.result() != signal.SIGINT)
        await wakes.close()
    return REPLACED if code == -REPLACED else 0
