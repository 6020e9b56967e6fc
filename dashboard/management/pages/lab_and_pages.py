"""Runs ``./netmodes up`` for root: the lab in this process, the pages in a process that runs as an ordinary user."""

import asyncio
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

from django.db.backends.signals import connection_created

from dashboard import interrupts
from dashboard.lab.experiments.journal_writer import Publisher
from dashboard.lab.remote.link import Link
from dashboard.lab.remote.link_server import LinkServer
from dashboard.lab.remote.nats_connection import WEB_JOURNALS
from dashboard.lab.remote.wakeups import WakeupChannel
from dashboard.lab.supervisor import Supervisor
from dashboard.management.memory import grow_string_table, limit_garbage
from dashboard.management.pages.page_server import STOPPING
from dashboard.management.pages.web_process import WebProcess
from dashboard.store.database import limit_waiting


async def run_lab_and_pages(
    data_dir: Path, web: WebProcess, say: Callable[[str], None], on_ready: Callable[[], None]
) -> None:
    """Runs the lab and the web process until Ctrl-C, SIGTERM or the end of the terminal, then stops all experiments.

    ``on_ready`` is called once, when pages are served. A second signal only prints a warning with ``say``. After a few
    seconds, another signal aborts and leaves experiments running. Raises WebProcessError.
    """
    connection_created.connect(limit_waiting)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    is_warned = is_announced = False

    def on_signal(number: int) -> None:
        nonlocal is_warned
        if interrupts.is_first(number):
            ended.set()
        elif not is_warned:
            is_warned = True
            say(STOPPING)

    def announce() -> None:
        nonlocal is_announced
        if not is_announced:
            is_announced = True
            grow_string_table()
            limit_garbage()
            on_ready()

    for number in interrupts.SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, on_signal, number)
    link = Link(is_guarded=True)
    wakeups = WakeupChannel(link)
    await wakeups.open()
    supervisor = Supervisor(Publisher(partial(wakeups.send, WEB_JOURNALS)))

    async def serve() -> None:
        web.start()
        await supervisor.open_lab(data_dir, say)
        await web.run(LinkServer(supervisor, link, wakeups), announce)

    serving, waiting = loop.create_task(serve(), name="serve"), loop.create_task(ended.wait(), name="signals")
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        await web.stop()
    finally:
        for task in (serving, waiting):
            task.cancel()
        results = await asyncio.gather(serving, waiting, return_exceptions=True)
        await supervisor.close_lab(say)
        await wakeups.close()
    if isinstance(results[0], Exception):
        raise results[0]
