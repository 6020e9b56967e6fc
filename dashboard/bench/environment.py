"""The environment of a run: a private host and a folder that are removed afterwards, and the facts of the machine."""

from __future__ import annotations

import asyncio
import fcntl
import os
import platform
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec
import psutil

from dashboard.bench.processes import BASE, environment_with, tied
from dashboard.bench.statistics import Result
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.private_host import PrivateHost
from dashboard.engine.images import ensure_image
from dashboard.engine.protocol import EngineInfo

CPUINFO = Path("/proc/cpuinfo")
LIMIT_S = 240.0
GRACE_S = 15.0
TOOLS = ("docker", "ip", "ss", "nsenter", "setpriv")


class StageError(Exception):
    """Benchmarks cannot run here; ``str()`` is a sentence."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The engine, and the folder that everything is kept in."""

    host: PrivateHost
    info: EngineInfo
    folder: Path

    async def run(self, name: str, *, quick: bool, limit_s: float = LIMIT_S) -> Result:
        """One benchmark in a process of its own, at most ``limit_s`` seconds; StageError if it fails."""
        folder = self.folder / name
        command = [sys.executable, "-m", "dashboard.bench", name, str(folder), *(["--quick"] if quick else [])]
        environment = environment_with(
            DOCKER_HOST=self.host.endpoint,
            NETMODES_DATA_DIR=str(folder / "data"),
            DJANGO_SETTINGS_MODULE="dashboard.settings",
        )
        process = await asyncio.create_subprocess_exec(
            *tied(command), cwd=BASE, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), limit_s)
        except TimeoutError:
            raise StageError(f"it took longer than {limit_s:g} s") from None
        finally:
            await _end(process)
        if process.returncode != 0:
            raise StageError(f"its process ended with code {process.returncode}: its last words stand above")
        try:
            return msgspec.json.decode(said, type=Result)
        except msgspec.MsgspecError as error:
            raise StageError(f"its result cannot be read: {error}") from None


@asynccontextmanager
async def stage(data_dir: Path, say: Callable[[str], None]) -> AsyncIterator[Stage]:
    """A private host with the lab image as ``nginx``. One at a time per data folder; what an earlier one
    that was killed has left is removed first."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        raise StageError(f"Not on this machine: {', '.join(missing)}. The benchmarks compare with these programs.")
    folder = data_dir / "bench"
    lock = _lock(data_dir / "bench.lock")
    try:
        await private_host.adopt(folder)
        await private_host.stop_all(folder)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        say("Starting a private host")
        host = await private_host.start(folder, die_with_parent=True)
        try:
            engine = DockerEngine(host.endpoint, timeout_s=60)
            try:
                await ensure_image(engine, "nginx", data_dir, lambda text, _fraction: say(text), private=True)
                info = await engine.info()
            finally:
                await engine.close()
            yield Stage(host, info, folder)
        finally:
            await private_host.stop(host)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        os.close(lock)


def _lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise StageError(
            "Another ./netmodes bench runs with this data folder: they would disturb each other."
        ) from None
    return descriptor


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), GRACE_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def processor(cpuinfo: str) -> str:
    """The processor's name in the text of /proc/cpuinfo; what the architecture is called where there is none."""
    found = re.search(r"^(?:model name|Hardware|cpu model)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def say_load() -> str:
    """Load averages over 1, 5 and 15 minutes (getloadavg(3))."""
    return " ".join(f"{one:.2f}" for one in os.getloadavg())


def machine_facts(engine: EngineInfo) -> dict[str, str]:
    """Names and values, in the order in which they are shown."""
    try:
        cpuinfo = CPUINFO.read_text(errors="replace")
    except OSError:
        cpuinfo = ""
    return {
        "kernel": f"{platform.system()} {platform.release()}",
        "processor": processor(cpuinfo),
        "cores": f"{len(os.sched_getaffinity(0))} usable of {os.cpu_count()}",
        "memory": f"{psutil.virtual_memory().total / 1e9:.1f} GB",
        "engine": f"Docker Engine {engine.version}, API {engine.api}, cgroup v{engine.cgroup_version}, a private host",
        "python": platform.python_version(),
        "libraries": ", ".join(f"{name} {version(name)}" for name in ("Django", "uvicorn", "uvloop", "websockets")),
        "load before": say_load(),
    }
