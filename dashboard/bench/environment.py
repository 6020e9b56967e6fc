"""The environment of the benchmarks: a private host and a folder, which are removed afterwards, and facts about the
machine."""

import asyncio
import fcntl
import os
import platform
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec
import psutil

from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.processes import BASE, environment_with, output_of, with_death_signal
from dashboard.bench.statistics import Result
from dashboard.core.experiments.engine_kind import describe_engine
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.images import ensure_image
from dashboard.engine.protocol import EngineInfo
from dashboard.latency.environment import read_machine

LIMIT_S = 240.0
TOOLS = ("docker", "ip", "ss", "nsenter", "setpriv")


@dataclass(frozen=True, slots=True)
class BenchmarkEnvironment:
    """The private host whose engine the benchmarks use, facts about the engine, and the folder for files."""

    host: PrivateHost
    info: EngineInfo
    folder: Path

    async def run(self, name: str, *, quick: bool, limit_s: float = LIMIT_S) -> Result:
        """Runs one benchmark in its own process, for at most ``limit_s`` seconds, and returns its result. Raises
        BenchmarkError if it fails."""
        folder = self.folder / name
        command = [sys.executable, "-m", "dashboard.bench", name, str(folder), *(["--quick"] if quick else [])]
        environment = environment_with(
            DOCKER_HOST=self.host.endpoint,
            NETMODES_DATA_DIR=str(folder / "data"),
            DJANGO_SETTINGS_MODULE="dashboard.settings",
        )
        printed = await output_of(
            *with_death_signal(command), name="its process", deadline_s=limit_s, cwd=BASE, env=environment, stderr=None
        )
        try:
            return msgspec.json.decode(printed, type=Result)
        except msgspec.MsgspecError as error:
            raise BenchmarkError(f"its result cannot be read: {error}") from None


@asynccontextmanager
async def open_environment(data_dir: Path, say: Callable[[str], None]) -> AsyncIterator[BenchmarkEnvironment]:
    """Context manager that starts a private host whose engine has the lab image under the name ``nginx``.
    First removes the leftovers of a killed run. Raises BenchmarkError if tools are missing or another run uses the data
    folder."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        raise BenchmarkError(f"Not installed: {', '.join(missing)}. The benchmarks compare with these programs.")
    folder = data_dir / "bench"
    with _locked(data_dir / "bench.lock"):
        try:
            await private_host.adopt(folder)
            await private_host.stop_all(folder)
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            say("Starting a private host")
            host = await private_host.start(folder, die_with_parent=True)
            try:
                async with DockerEngine(host.endpoint, timeout_s=60) as engine:
                    await ensure_image(engine, "nginx", data_dir, lambda text, _fraction: say(text), private=True)
                    info = await engine.info()
                yield BenchmarkEnvironment(host, info, folder)
            finally:
                await private_host.stop(host)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchmarkError("Another ./netmodes bench uses this data folder. Wait until it has ended.") from None
        yield


def format_load() -> str:
    """The load averages over 1, 5 and 15 minutes as text (getloadavg(3))."""
    return " ".join(f"{average:.2f}" for average in os.getloadavg())


def machine_facts(engine: EngineInfo) -> dict[str, str]:
    """Facts about the machine that are needed to judge a figure, by name, in the order in which a report shows them."""
    machine = read_machine()
    return {
        "kernel": f"{platform.system()} {machine.kernel}",
        "processor": machine.cpu_model,
        "cores": f"{len(os.sched_getaffinity(0))} usable of {os.cpu_count()}",
        "memory": f"{psutil.virtual_memory().total / 1e9:.1f} GB",
        "engine": f"{describe_engine(engine.kind, engine.version)}, API {engine.api}, "
        f"cgroup v{engine.cgroup_version}, a private host",
        "python": machine.python,
        "libraries": ", ".join(f"{name} {version(name)}" for name in ("Django", "uvicorn", "uvloop", "websockets")),
        "load before": format_load(),
    }
