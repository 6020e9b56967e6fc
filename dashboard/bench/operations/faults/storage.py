"""Faults of storage: the disk is full, or the database is locked by another process or damaged."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

from dashboard.bench.benchmark import BenchmarkError, until
from dashboard.bench.operations.faults.scene import Ledger, Machine, clear, ready, settle, trial_of
from dashboard.bench.operations.faults.trials import Trial, Trials
from dashboard.bench.processes import running
from dashboard.bench.server import Server, serving

DATABASE = "netmodes.db"
DISK = "64m"
LOCKED_S = 10.0
#: A launch is accepted or refused within this time, whatever holds the database.
ANSWER_S = 6.0


class SmallDisk:
    """A tmpfs on ``folder`` in a mount namespace of its own, so that other processes do not see it. ``holder`` is the
    pid of a process in that namespace. ``inside`` is the prefix of a command line that runs in that namespace."""

    def __init__(self, holder: int, folder: Path) -> None:
        self.folder = folder
        self.inside = ("nsenter", f"--mount=/proc/{holder}/ns/mnt", "--")

    async def shell(self, script: str) -> None:
        """Runs a shell script in the mount namespace of the disk. Its errors are ignored, because the disk may be
        full."""
        process = await asyncio.create_subprocess_exec(
            *self.inside, "sh", "-c", script, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        await process.wait()


@asynccontextmanager
async def small_disk(folder: Path) -> AsyncIterator[SmallDisk]:
    """Context manager that mounts a small disk on the folder, in a new mount namespace."""
    script = f"mkdir -p {folder} && mount -t tmpfs -o size={DISK},mode=0700 none {folder} && echo ready && exec cat"
    async with running(["unshare", "--mount", "--propagation", "private", "sh", "-c", script]) as holder:
        await holder.read()
        yield SmallDisk(holder.pid, folder)


async def launches(server: Server, ledger: Ledger) -> bool:
    """Tries to launch an experiment, and returns whether the server accepted it. Raises BenchmarkError if the response
    took longer than ``ANSWER_S``."""
    started = time.monotonic()
    try:
        await asyncio.to_thread(ledger.launch, server)
    except BenchmarkError:
        return False
    finally:
        if time.monotonic() - started > ANSWER_S:
            raise BenchmarkError(f"a launch was answered after {time.monotonic() - started:.1f} s")
    return True


async def works(server: Server, ledger: Ledger) -> bool:
    """Whether the server is ready and accepts a launch."""
    return await ready(server) and await launches(server, ledger)


async def fill(folder: Path, machine: Machine, trials: Trials) -> None:
    """Fills the disk of the data folder while an experiment runs, then frees the space. Records the trial."""
    ledger = Ledger()
    async with small_disk(folder) as disk, serving(folder, endpoint=machine.endpoint, inside=disk.inside) as server:
        experiment = await asyncio.to_thread(ledger.launch, server)
        await settle(server, ledger)
        await asyncio.to_thread(ledger.save, server, experiment)
        await disk.shell(f"cat /dev/zero > {folder}/fill")
        if await launches(server, ledger):
            raise BenchmarkError("a launch on a full disk was accepted")
        await asyncio.to_thread(machine.docker, "kill", f"nm-{experiment}-bridge")
        await asyncio.sleep(3)
        freed = time.monotonic()
        await disk.shell(f"rm {folder}/fill")
        await until(lambda: works(server, ledger), "a launch after the disk was freed")
        seconds = time.monotonic() - freed
        await settle(server, ledger)
        trials.record(await trial_of("disk full", seconds, server, machine, ledger))


async def lock(folder: Path, machine: Machine, trials: Trials) -> None:
    """Locks the server's database from this process for ``LOCKED_S`` seconds, and tries to launch experiments
    meanwhile. Records the trial."""
    ledger = Ledger()
    async with serving(folder, endpoint=machine.endpoint) as server:
        await asyncio.to_thread(ledger.launch, server)
        await settle(server, ledger)
        connection = sqlite3.connect(folder / DATABASE, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("BEGIN EXCLUSIVE")
            held = time.monotonic()
            while time.monotonic() - held < LOCKED_S:
                await launches(server, ledger)
            connection.execute("ROLLBACK")
        finally:
            connection.close()
        released = time.monotonic()
        await until(lambda: works(server, ledger), "a launch after the database was released")
        seconds = time.monotonic() - released
        await settle(server, ledger)
        trials.record(await trial_of("database locked", seconds, server, machine, ledger))


async def damage(folder: Path, machine: Machine, trials: Trials) -> None:
    """Overwrites the database while the server runs, ends the server, and starts it again with an earlier copy of the
    database. Records the trial."""
    ledger, copy = Ledger(), folder / "copy.db"
    async with serving(folder, endpoint=machine.endpoint) as server:
        experiment = await asyncio.to_thread(ledger.launch, server)
        await settle(server, ledger)
        await asyncio.to_thread(ledger.save, server, experiment)
        with sqlite3.connect(folder / DATABASE) as source, sqlite3.connect(copy) as target:
            source.backup(target)
        for path in (folder / DATABASE, folder / f"{DATABASE}-wal"):
            with path.open("r+b") as file:
                file.write(os.urandom(path.stat().st_size))

        async def refuses() -> bool:
            form = {"preset": "host-bridge"}
            answer = await asyncio.to_thread(server.ask, "POST", "/presets/", form)
            if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                raise BenchmarkError("a launch on a damaged database was answered with 500")
            return answer.status == HTTPStatus.SERVICE_UNAVAILABLE

        await until(refuses, "a refusal because the database is damaged")
        os.kill(server.pid, signal.SIGINT)
        await until(lambda: asyncio.to_thread(has_ended, server.pid), "the end of the server")
    leaked = len(await asyncio.to_thread(machine.objects))
    for suffix in ("-wal", "-shm"):
        (folder / f"{DATABASE}{suffix}").unlink(missing_ok=True)
    shutil.move(copy, folder / DATABASE)
    started = time.monotonic()
    async with serving(folder, endpoint=machine.endpoint) as server:
        await until(lambda: ready(server), "ready")
        seconds = time.monotonic() - started
        lost = await asyncio.to_thread(ledger.count_lost, server)
        leaked += await clear(server, machine, ledger)
    trials.record(Trial("database damaged", seconds, lost, leaked, await asyncio.to_thread(machine.touched)))


def has_ended(pid: int) -> bool:
    """Whether the process has ended, even if its parent has not waited for it yet."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True
