"""netperf and sockperf as references: their servers in the namespaces of the paths, their clients one at a time.

They are pinned to the cores of our client and responder and favoured as these are (SCHED_FIFO, where that may be had),
send as many bytes, and without delay.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from dashboard.bench.processes import end, tied
from dashboard.core.measurements.measurement import DEFAULT_PAYLOAD_BYTES, Probe
from dashboard.core.modes import Publish
from dashboard.core.namespaces.state import Family
from dashboard.core.paths.model import ANY_ADDRESS

#: Each path's server has ports of its own: those of the container are published one to one, as netperf's server tells
#: its client which port it has taken.
CONTAINER_PORTS, HOST_PORTS = range(14000, 14004), range(14010, 14014)
NETPERF_TIMES = 8_000
DEADLINE_S = 20.0
_TCP = {Probe.TCP_RR: True, Probe.UDP_RR: False}


class RivalError(Exception):
    """A reference could not be run; ``str()`` is a sentence."""


@dataclass(frozen=True, slots=True)
class Told:
    """Round trips as a reference tells them, in µs."""

    p50_us: float
    mean_us: float


def published() -> tuple[Publish, ...]:
    """What the container must publish so that its servers can be reached through the machine."""
    return tuple(Publish(port, port, protocol) for port in CONTAINER_PORTS for protocol in ("tcp", "udp"))


def favoured(command: Sequence[str], namespace: int, core: int | None) -> list[str]:
    """The command in a network namespace (a descriptor that it inherits), as our own processes run."""
    script = (
        'exec nsenter --net="/proc/self/fd/$0" -- '
        + (f"taskset -c {core} " if core is not None else "")
        + 'chrt --fifo 1 "$@"'
    )
    return ["setsid", "--wait", "sh", "-c", script, str(namespace), *command]


@contextmanager
def serving_rivals(namespace: int, ports: Sequence[int], core: int | None) -> Iterator[None]:
    """A netserver and two sockperf servers in a namespace while the block runs."""
    control, _, tcp, udp = ports
    everywhere = ANY_ADDRESS[Family.INET]
    commands = [
        ["netserver", "-D", "-4", "-p", str(control)],
        ["sockperf", "server", "-i", everywhere, "-p", str(tcp), "--tcp"],
        ["sockperf", "server", "-i", everywhere, "-p", str(udp)],
    ]
    with ExitStack() as stack:
        for command in commands:
            process = subprocess.Popen(
                tied(favoured(command, namespace, core)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(namespace,),
            )
            stack.callback(_end_with_children, process)
        yield


def _end_with_children(process: subprocess.Popen[bytes]) -> None:
    """A netserver forks for each test, and one whose client was killed would wait for ever: the session goes too."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    end(process)


async def ask_netperf(address: str, ports: Sequence[int], probe: Probe, namespace: int, core: int | None) -> Told:
    """One TCP_RR or UDP_RR of ``NETPERF_TIMES`` requests, by its omni test."""
    control, data, _, _ = ports
    size = DEFAULT_PAYLOAD_BYTES
    kind = "tcp" if _TCP[probe] else "udp"
    command = ["netperf", "-4", "-H", address, "-p", str(control), "-t", "omni", "-l", str(-NETPERF_TIMES), "--"]
    command += ["-d", "rr", "-T", kind, "-r", f"{size},{size}", "-P", f",{data}", *(["-D"] if _TCP[probe] else [])]
    command += ["-k", "P50_LATENCY,MEAN_LATENCY"]
    return parse_netperf(await _run(command, namespace, core))


async def ask_sockperf(address: str, ports: Sequence[int], probe: Probe, namespace: int, core: int | None) -> Told:
    """One ping-pong of a second, the shortest that it can."""
    _, _, tcp, udp = ports
    port = str(tcp if _TCP[probe] else udp)
    command = ["sockperf", "ping-pong", "-i", address, "-p", port, "-m", str(DEFAULT_PAYLOAD_BYTES), "-t", "1"]
    command += ["--full-rtt", *(["--tcp"] if _TCP[probe] else [])]
    return parse_sockperf(await _run(command, namespace, core))


def parse_netperf(text: str) -> Told:
    """``KEY=value`` lines; RivalError without the two that are needed."""
    found = dict(re.findall(r"^(\w+)=(-?[\d.]+)$", text, re.MULTILINE))
    try:
        told = Told(float(found["P50_LATENCY"]), float(found["MEAN_LATENCY"]))
    except KeyError:
        raise RivalError(f"netperf tells no latency: {text.strip()[-300:]}") from None
    if told.p50_us <= 0:
        raise RivalError("netperf had no answer")
    return told


def parse_sockperf(text: str) -> Told:
    """The summary's mean and the 50th percentile; RivalError if one is missing, or messages were lost."""
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    middle = re.search(r"percentile 50\.0+ =\s*([\d.]+)", plain)
    mean = re.search(r"avg-rtt=\s*([\d.]+)", plain)
    if middle is None or mean is None:
        raise RivalError(f"sockperf tells no round trip: {plain.strip()[-300:]}")
    if lost := re.search(r"# dropped messages = ([1-9]\d*)", plain):
        raise RivalError(f"sockperf lost {lost[1]} messages")
    return Told(float(middle[1]), float(mean[1]))


async def _run(command: Sequence[str], namespace: int, core: int | None) -> str:
    process = await asyncio.create_subprocess_exec(
        *tied(favoured(command, namespace, core)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        pass_fds=(namespace,),
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    except TimeoutError:
        raise RivalError(f"{command[0]} did not end within {DEADLINE_S:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise RivalError(f"{command[0]} ended with code {process.returncode}: {said.decode(errors='replace')[-300:]}")
    return said.decode(errors="replace")
