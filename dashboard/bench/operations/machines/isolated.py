"""Machines in namespaces of this machine: a LAN, and machines on it that have a Docker Engine each.

An isolated machine has its own network, mount, pid and UTS namespaces and its own /run. It shares the kernel, the
cgroups and the clock with this machine. Needs root.
"""

import os
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.operations.postgres_nats import STOP_S, Service
from dashboard.bench.processes import with_death_signal
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts.cleanup import remove_cgroups
from dashboard.engine.images import ensure_image

SCRIPT = Path(__file__).with_name("machine.sh")
#: A range for documentation (RFC 5737); private hosts use another one.
PREFIX, SWITCH_ADDRESS = "198.51.100", "198.51.100.1"
SPACES = ("--net", "--mount", "--pid", "--uts")
#: The socket of the engine on the machine.
SOCKET = "/run/docker.sock"
#: The engine of a machine may take longer while others start.
ENGINE_S = 60.0


@contextmanager
def lan() -> Iterator[None]:
    """Context manager that moves this thread into a new network namespace until the end of the ``with`` statement. The
    namespace contains the switch of the LAN with the address ``SWITCH_ADDRESS``. Processes and threads that this thread
    starts are in it, too."""
    with Path("/proc/thread-self/ns/net").open("rb") as before:
        os.unshare(os.CLONE_NEWNET)
        try:
            _run("ip", "link", "set", "lo", "up")
            _run("ip", "link", "add", "lan", "type", "bridge")
            _run("ip", "address", "add", f"{SWITCH_ADDRESS}/24", "dev", "lan")
            _run("ip", "link", "set", "lan", "up")
            yield
        finally:
            os.setns(before.fileno(), os.CLONE_NEWNET)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command)}: {done.stderr.strip()}")


class IsolatedMachine(Service):
    """A machine on the LAN. ``number``, which counts from 1, determines its address. ``root`` is a root file system
    with the programs of its engine; None if it uses the programs of this machine."""

    def __init__(self, name: str, number: int, folder: Path, root: Path | None) -> None:
        self.folder = folder / name
        self.folder.mkdir(mode=0o700)
        self.address = f"{PREFIX}.{10 + number}"
        #: The name of its link on the switch.
        self.link = name
        self._cgroup = f"netmodes-{secrets.token_hex(3)}"
        inside = ["sh", str(SCRIPT), self._cgroup, self.link, f"{self.address}/24", str(self.folder / "engine")]
        spaces = ["unshare", *SPACES, "--mount-proc", "--propagation", "private", "--kill-child=KILL", "--"]
        command = ["setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", 'exec 3< /proc/self/ns/net; exec "$@"', "sh"]
        super().__init__(
            name,
            folder,
            [*command, *spaces, *inside, str(root or "-")],
            self._answers,
            stop_signal=signal.SIGKILL,
        )

    def _answers(self) -> bool:
        if not psutil.Process(self.pid).children():
            return False  # not forked yet
        command = ["docker", "-H", self.endpoint, "version"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    @property
    def init(self) -> int:
        """The pid of the isolated machine's first process, as this machine sees it. Raises BenchmarkError if it has
        ended."""
        children = psutil.Process(self.pid).children()
        if not children:
            raise BenchmarkError(f"{self.name} has ended: {self.output()[-500:]}")
        return children[0].pid

    @property
    def endpoint(self) -> str:
        """The endpoint at which this machine reaches the isolated machine's engine."""
        return f"unix://{self.path(SOCKET)}"

    def path(self, inside: str) -> Path:
        """The path at which this machine finds a file whose path on the isolated machine is ``inside``."""
        return Path(f"/proc/{self.init}/root{inside}")

    def command(self, command: Sequence[str]) -> list[str]:
        """The command line that runs a command on the isolated machine. The command gets SIGTERM when the thread that
        starts it ends."""
        return with_death_signal(["nsenter", "--target", str(self.init), *SPACES, "--", *with_death_signal(command)])

    def run(self, *command: str, timeout_s: float = 30.0) -> str:
        """Runs a command on the isolated machine and returns its output. A docker command uses the machine's engine.
        Raises BenchmarkError if the command fails."""
        environment = {**os.environ, "DOCKER_HOST": f"unix://{SOCKET}"}
        done = subprocess.run(
            self.command(command), env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        if done.returncode:
            raise BenchmarkError(f"{self.name}: {' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    async def load_image(self, data_dir: Path) -> None:
        """Loads the lab image into the machine's engine under the name ``nginx``."""
        async with DockerEngine(self.endpoint, timeout_s=ENGINE_S) as engine:
            await ensure_image(engine, "nginx", data_dir, lambda _text, _fraction: None, private=True)

    def cut_off(self, *, silently: bool = True) -> None:
        """Separates the machine from the LAN. If ``silently`` is true, its firewall drops all packets, otherwise its
        link goes down."""
        if silently:
            for chain, direction in (("INPUT", "-i"), ("OUTPUT", "-o")):
                self.run("iptables", "-w", "5", "-I", chain, direction, "eth0", "-j", "DROP")
        else:
            _run("ip", "link", "set", self.link, "down")

    def reconnect(self, *, silently: bool = True) -> None:
        """Reconnects the machine to the LAN after ``cut_off`` with the same ``silently``."""
        if silently:
            for chain, direction in (("INPUT", "-i"), ("OUTPUT", "-o")):
                self.run("iptables", "-w", "5", "-D", chain, direction, "eth0", "-j", "DROP")
        else:
            _run("ip", "link", "set", self.link, "up")

    def stop(self) -> None:
        """Ends everything on the machine and removes its cgroups, including those of its private hosts."""
        hosts = [f"netmodes-{one.name}" for one in (self.folder / "hosts").glob("*")]
        first: list[psutil.Process] = []
        with suppress(BenchmarkError, psutil.NoSuchProcess):
            first.append(psutil.Process(self.init))
        super().stop()
        psutil.wait_procs(first, timeout=STOP_S)  # it ends after all others; until then their cgroups are busy
        for name in (self._cgroup, *hosts):
            with suppress(OSError):
                remove_cgroups(name)


class InsideService(Service):
    """A process on an isolated machine. Signals are sent to the process itself, not to the program that entered the
    machine's namespaces."""

    def __init__(
        self,
        name: str,
        machine: IsolatedMachine,
        arguments: Sequence[str],
        is_ready: Callable[[], bool],
        environment: dict[str, str],
    ) -> None:
        super().__init__(name, machine.folder, (), is_ready, environment=environment)
        self._machine, self._arguments = machine, arguments

    def launch(self) -> None:
        """Starts the process in the namespaces that the machine has now, without waiting until it is ready."""
        self._command = self._machine.command(self._arguments)
        super().launch()

    @contextmanager
    def variables(self, **values: str) -> Iterator[None]:
        """Context manager that adds these environment variables to the process if it is started in the body of the
        ``with`` statement."""
        before = self._environment
        self._environment = {**(before or {}), **values}
        try:
            yield
        finally:
            self._environment = before

    def kill(self) -> None:
        """Ends the process on the machine with SIGKILL."""
        self._signal(signal.SIGKILL)
        super().kill()

    def stop(self) -> None:
        """Ends the process on the machine with SIGTERM."""
        self._signal(signal.SIGTERM)
        super().stop()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(BenchmarkError, psutil.NoSuchProcess):
            entered = psutil.Process(self.pid)
            for child in entered.children():
                child.send_signal(number)
            with suppress(psutil.TimeoutExpired):
                entered.wait(40.0)
