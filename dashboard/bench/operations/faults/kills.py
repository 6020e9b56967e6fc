"""A fault of servers: the server is killed at random points of launches, restarts, removals and saves, and starts
again."""

import asyncio
import os
import random
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import urllib3

from dashboard.bench.benchmark import BenchmarkRun, until
from dashboard.bench.operations.faults.scene import Ledger, Machine, clear, phases, ready, settle
from dashboard.bench.operations.faults.trials import Trial, Trials
from dashboard.bench.server import Server, free_port, serving

#: The words of the result for each command of ``work``.
COMMANDS = {"launch": "a launch", "save": "a save", "again": "a restart", "remove": "a removal", "stop": "a stop"}
KILLS, QUICK_KILLS = 200, 10
MAX_EXPERIMENTS = 4
#: The server is killed at most this many seconds after it was ready.
LIFE_S = 2.0


def work(server: Server, ledger: Ledger, seed: int, over: threading.Event, commands: list[str]) -> None:
    """Sends random commands of ``COMMANDS`` until ``over`` is set or the server no longer answers. Adds each command to
    ``commands`` before it is sent. Records in ``ledger`` what the server acknowledges."""
    rng = random.Random(seed)  # noqa: S311 - nothing secret
    # The end of the server is the fault. urllib3 reports it in several ways.
    with suppress(urllib3.exceptions.HTTPError, OSError):
        while not over.is_set():
            known = sorted(ledger.experiments)
            command = "launch" if len(known) < 2 else rng.choice(list(COMMANDS))
            if command == "launch" and len(known) >= MAX_EXPERIMENTS:
                command = "remove"
            commands.append(command)
            if command == "launch":
                ledger.launch(server)
            elif command == "save":
                ledger.save(server, rng.choice(known))
            else:
                ledger.act(server, rng.choice(known), command)


async def kill_repeatedly(run: BenchmarkRun, folder: Path, machine: Machine, trials: Trials) -> None:
    """Kills the server repeatedly, and records a trial for each kill. The last trial also counts leftovers: objects of
    experiments that the server does not know, and objects that remain after all experiments were removed."""
    kills = QUICK_KILLS if run.quick else KILLS
    rng = random.Random(kills)  # noqa: S311 - nothing secret
    ledger, port, fault = Ledger(), free_port(), ""
    for number in range(kills + 1):
        started = time.monotonic()
        async with serving(folder, port, endpoint=machine.endpoint) as server:
            await until(lambda: ready(server), "ready")
            seconds = time.monotonic() - started
            lost = await asyncio.to_thread(ledger.count_lost, server)
            leaked = 0
            if number == kills:
                await settle(server, ledger)
                leaked = await machine.leftovers(await asyncio.to_thread(phases, server))
                leaked += await clear(server, machine, ledger)
            if number:
                trials.record(Trial(fault, seconds, lost, leaked, await asyncio.to_thread(machine.touched)))
            if number == kills:
                return
            over = threading.Event()
            commands: list[str] = []
            worker = asyncio.create_task(asyncio.to_thread(work, server, ledger, number, over, commands))
            await asyncio.sleep(rng.uniform(0, LIFE_S))
            # The lab still carries out earlier commands, too: a restart takes a second.
            fault = f"server killed {f'at or after {COMMANDS[commands[-1]]}' if commands else 'before a command'}"
            os.kill(server.pid, signal.SIGKILL)
            over.set()
            await worker
