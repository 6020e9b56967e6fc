"""Measures with netperf and sockperf as references. Their servers run in the namespaces of the paths. Only one of their
clients runs at a time.

Clients and servers run on the cores of our client and responder with the same priority (SCHED_FIFO, where it is
available), and send messages of the same size. TCP sends each message at once (TCP_NODELAY).
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.processes import end, output_of, with_death_signal
from dashboard.core.measurements.measurement import DEFAULT_PAYLOAD_BYTES, Probe
from dashboard.core.modes import Publish
from dashboard.core.namespaces.state import Family
from dashboard.core.paths.model import ANY_ADDRESS

#: The ports of the two servers: netperf's control and data port, sockperf's for TCP and UDP. The container's are
#: published under the same numbers, because netperf's server tells its client the port that it has taken.
CONTAINER_PORTS, HOST_PORTS = range(14000, 14004), range(14010, 14014)
NETPERF, SOCKPERF = "netperf", "sockperf"
NETPERF_REQUESTS = 8_000
DEADLINE_S = 20.0


def published() -> tuple[Publish, ...]:
    """The ports that the container publishes, so that clients reach its netperf and sockperf servers through the
    machine."""
    return tuple(Publish(port, port, protocol) for port in CONTAINER_PORTS for protocol in ("tcp", "udp"))


def prioritised(command: Sequence[str], namespace: int, core: int | None) -> list[str]:
    """The command line that runs a command in a network namespace with the priority of our own processes, on ``core``
    unless that is None. ``namespace`` is a descriptor that the process inherits."""
    pinned = f"taskset -c {core} " if core is not None else ""
    script = f'exec nsenter --net="/proc/self/fd/$0" -- {pinned}chrt --fifo 1 "$@"'
    return ["setsid", "--wait", "sh", "-c", script, str(namespace), *command]


@contextmanager
def reference_servers(namespace: int, ports: Sequence[int], core: int | None) -> Iterator[None]:
    """Context manager that runs a netserver and two sockperf servers in a network namespace, on ``core`` unless that is
    None. ``namespace`` is a descriptor of the namespace; ``ports`` are ``CONTAINER_PORTS`` or ``HOST_PORTS``."""
    control, _, tcp, udp = ports
    everywhere = ANY_ADDRESS[Family.INET]
    commands = [
        ["netserver", "-D", "-4", "-p", str(control)],
        ["sockperf", "server", "-i", everywhere, "-p", str(tcp), "--tcp"],
        ["sockperf", "server", "-i", everywhere, "-p", str(udp)],
    ]
    none = subprocess.DEVNULL
    with ExitStack() as stack:
        for command in commands:
            started = with_death_signal(prioritised(command, namespace, core))
            process = subprocess.Popen(started, stdin=none, stdout=none, stderr=none, pass_fds=(namespace,))
            stack.callback(end_with_children, process)
        yield


def end_with_children(process: subprocess.Popen[bytes]) -> None:
    """Ends all processes in the process group of ``process``. netserver forks for each test, and a child
    whose client was killed waits forever."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    end(process)


async def measure_p50(
    tool: str, address: str, ports: Sequence[int], probe: Probe, namespace: int, core: int | None
) -> float:
    """Runs the client of ``tool`` (netperf or sockperf) in the network namespace of the descriptor ``namespace``, on
    ``core`` unless that is None. Returns its median round trip in µs. ``ports`` are those of ``reference_servers``.
    netperf sends ``NETPERF_REQUESTS`` requests in its omni test; sockperf runs ping-pong for one second, its shortest
    run."""
    control, data, tcp_port, udp_port = (str(port) for port in ports)
    size, tcp = str(DEFAULT_PAYLOAD_BYTES), probe is Probe.TCP_RR
    if tool == NETPERF:
        command = ["netperf", "-4", "-H", address, "-p", control, "-t", "omni", "-l", str(-NETPERF_REQUESTS), "--"]
        command += ["-d", "rr", "-T", "tcp" if tcp else "udp", "-r", f"{size},{size}", "-P", f",{data}"]
        command += [*(["-D"] if tcp else []), "-k", "P50_LATENCY"]
    else:
        command = ["sockperf", "ping-pong", "-i", address, "-p", tcp_port if tcp else udp_port, "-m", size, "-t", "1"]
        command += ["--full-rtt", *(["--tcp"] if tcp else [])]
    printed = await output_of(
        *with_death_signal(prioritised(command, namespace, core)),
        name=tool,
        deadline_s=DEADLINE_S,
        stderr=subprocess.STDOUT,
        pass_fds=(namespace,),
    )
    return parse_netperf(printed) if tool == NETPERF else parse_sockperf(printed)


def parse_netperf(text: str) -> float:
    """The median in µs in the output of netperf, which has ``KEY=value`` lines. Raises BenchmarkError if it is missing
    or not positive."""
    match = re.search(r"^P50_LATENCY=(-?[\d.]+)$", text, re.MULTILINE)
    if match is None:
        raise BenchmarkError(f"netperf printed no latency: {text.strip()[-300:]}")
    if float(match[1]) <= 0:
        raise BenchmarkError("netperf received no answer")
    return float(match[1])


def parse_sockperf(text: str) -> float:
    """The median in µs in the output of sockperf. Raises BenchmarkError if it is missing, or if messages were lost."""
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    match = re.search(r"percentile 50\.0+ =\s*([\d.]+)", plain)
    if match is None:
        raise BenchmarkError(f"sockperf printed no round trip: {plain.strip()[-300:]}")
    if lost := re.search(r"# dropped messages = ([1-9]\d*)", plain):
        raise BenchmarkError(f"sockperf lost {lost[1]} messages")
    return float(match[1])
