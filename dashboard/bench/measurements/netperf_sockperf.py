"""Measures with netperf and sockperf, the references of ``fidelity``, under the conditions of our own measurements.

Their servers run in the namespaces of the paths, and only one of their clients runs at a time. Servers run on the core
of our responder, clients on the core of our client, with the same priority (SCHED_FIFO). Messages have the same size,
and TCP sends each one at once (TCP_NODELAY).
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
    """Returns the command line that runs ``command`` in a network namespace with the priority of our own processes.
    ``namespace`` is a descriptor of the namespace, which the process must inherit. ``core`` is the core to which the
    process is pinned; None for any core."""
    pinned = f"taskset -c {core} " if core is not None else ""
    script = f'exec nsenter --net="/proc/self/fd/$0" -- {pinned}chrt --fifo 1 "$@"'
    return ["setsid", "--wait", "sh", "-c", script, str(namespace), *command]


@contextmanager
def reference_servers(namespace: int, ports: Sequence[int], core: int | None) -> Iterator[None]:
    """Context manager that runs a netserver and two sockperf servers, for TCP and UDP, in a network namespace.
    ``namespace`` is a descriptor of the namespace. ``ports`` are ``CONTAINER_PORTS`` or ``HOST_PORTS``. ``core`` is the
    core to which the servers are pinned; None for any core."""
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
    """Returns the median round trip in µs that the client of ``tool``, netperf or sockperf, measures. ``address`` and
    ``ports`` are those of the servers (``reference_servers``). ``namespace`` is a descriptor of the client's network
    namespace. ``core`` is the core to which the client is pinned; None for any core. Raises BenchmarkError if the
    client fails."""
    control, data, tcp_port, udp_port = (str(port) for port in ports)
    size, tcp = str(DEFAULT_PAYLOAD_BYTES), probe is Probe.TCP_RR
    if tool == NETPERF:
        command = ["netperf", "-4", "-H", address, "-p", control, "-t", "omni", "-l", str(-NETPERF_REQUESTS), "--"]
        command += ["-d", "rr", "-T", "tcp" if tcp else "udp", "-r", f"{size},{size}", "-P", f",{data}"]
        command += [*(["-D"] if tcp else []), "-k", "P50_LATENCY"]
    else:
        # One second is sockperf's shortest run.
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
