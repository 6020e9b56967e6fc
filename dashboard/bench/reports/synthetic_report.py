"""A large report without an engine: two arms, ten thousand entries of ports that open and close, a million requests."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.messages import ArmStatus, Column, ContainerRef, EngineRef, PublishedPort
from dashboard.core.experiments.stream import ExperimentHead, Phase
from dashboard.core.measurements.histogram import encode_times, summarise_histograms
from dashboard.core.measurements.measurement import Block, Environment, Options, Probe, Stop
from dashboard.core.measurements.schedule import Series
from dashboard.core.measurements.summary import build_measurement
from dashboard.core.modes import ArmSpec, ExperimentSpec, Mode, Publish
from dashboard.core.namespaces.delta import delta
from dashboard.core.namespaces.state import (
    Address,
    Family,
    Interface,
    Listener,
    NamespaceState,
    Protocol,
    Route,
    sorted_state,
)
from dashboard.core.paths.model import Path, PathKind
from dashboard.core.reports.model import FrozenExperiment, FrozenRun, Origin, ReportContent

ENTRIES, ROUNDS, REQUESTS = 10_000, 42, 4_000
AT = 1_790_000_000.0
ENVIRONMENT = Environment(kernel="6.18", machine="x86_64", cpu_model="a processor", cores=2, engine="29.0")
#: The medians of the paths, in µs.
PATHS = {
    Path(PathKind.LOOPBACK, "loopback", "machine", "host", address="127.0.0.1", port=80): 16.0,
    Path(PathKind.LOOPBACK, "loopback", "machine", "host", Family.INET6, "::1", 80): 16.2,
    Path(PathKind.BRIDGE_ADDRESS, "container address", "machine", "bridge", address="172.17.0.2", port=80): 18.0,
    Path(PathKind.PUBLISHED_DNAT, "published port", "machine", "bridge", address="192.0.2.2", port=8080): 19.0,
    Path(PathKind.PUBLISHED_PROXY, "published port", "machine", "bridge", address="127.0.0.1", port=8080): 43.0,
    Path(PathKind.PUBLISHED_PROXY, "published port", "machine", "bridge", Family.INET6, "::1", 8080): 44.0,
}


def _link(name: str, index: int, kind: str, address: str = "", prefix: int = 16, **more: Any) -> Interface:
    addresses = (Address(address, prefix, Family.INET),) if address else ()
    return Interface(name, index, kind, f"02:42:00:00:00:{index:02x}", addresses=addresses, **more)


def _listener(port: int, process: str, container: str | None = None) -> Listener:
    return Listener(Protocol.TCP, Family.INET, "0.0.0.0", port, 1000 + port, process, container)  # noqa: S104 - shown


def _scene() -> tuple[tuple[Column, ...], dict[str, NamespaceState]]:
    ids = {"host": "a1" * 32, "bridge": "b2" * 32}
    machine = sorted_state(
        NamespaceState(
            4026531840,
            "lab",
            {"net": 4026531840},
            (
                _link("lo", 1, "loopback", "127.0.0.1", 8),
                _link("eth0", 2, "physical", "192.0.2.2", 24),
                _link("docker0", 3, "bridge", "172.17.0.1"),
                _link("veth1a2b3c4", 7, "veth", peer="if6", master="docker0"),
            ),
            (Route(Family.INET, "default", "192.0.2.1", "eth0"),),
            (_listener(22, "sshd"), _listener(80, "nginx", ids["host"]), _listener(8080, "docker-proxy")),
        )
    )
    own = sorted_state(
        NamespaceState(
            4026532561,
            ids["bridge"][:12],
            {"net": 4026532561},
            (_link("lo", 1, "loopback", "127.0.0.1", 8), _link("eth0", 6, "veth", "172.17.0.2", peer="if7")),
            (Route(Family.INET, "default", "172.17.0.1", "eth0"),),
            (_listener(80, "nginx", ids["bridge"]),),
        )
    )
    published = (PublishedPort(80, "tcp", "0.0.0.0", 8080),)  # noqa: S104 - shown
    columns = (
        Column("machine", "machine", "this machine"),
        Column("host", "host", "host", ContainerRef(ids["host"], "nm-host", "nginx"), "docker run --net host nginx"),
        Column(
            "bridge", "bridge", "bridge", ContainerRef(ids["bridge"], "nm-bridge", "nginx"),
            "docker run -p 8080:80 nginx", published=published, asked=published, networks={"bridge": "172.17.0.2"},
        ),
    )  # fmt: skip
    return columns, {"machine": machine, "host": machine, "bridge": own}


def make_journal(entries: int) -> tuple[Entry, ...]:
    """A launch, then listeners of the bridged container that come and go."""
    columns, states = _scene()
    head = ExperimentHead("bench", "A large report", "nginx", 80, Phase.RUNNING, AT, AT + 1, engine="29.0", round=1)
    waiting = tuple(replace(one, status=ArmStatus.WAITING, published=()) for one in columns)
    found = [
        Entry(1, AT, Cause(Source.PERSON, "launch"), Facts(head=head, columns=waiting), "Launch asked for"),
        Entry(2, AT + 1, Cause(Source.LAB), Facts(columns=columns, states=states), "All arms run"),
    ]
    before = states["bridge"]
    for number in range(3, entries + 1):
        port = 9000 + number // 2 % 40
        more = (_listener(port, "python3", "b2" * 32),) if number % 2 else ()
        after = sorted_state(replace(states["bridge"], listeners=(*states["bridge"].listeners, *more)))
        text = f"python3 {'opens' if more else 'closes'} :{port} in bridge"
        cause = Cause(Source.KERNEL, f"listener {port}", f"process {1000 + port}")
        found.append(
            Entry(number, AT + number / 10, cause, Facts(changes={"bridge": delta(before, after)}), text, ("bridge",))
        )
        before = after
    return tuple(found)


def make_run(rounds: int, requests: int, seed: int) -> FrozenRun:
    """A finished run over ``PATHS``, every block with its own histogram."""
    source = random.Random(seed)  # noqa: S311 - nothing secret
    series = {Series(path.key, path, Probe.TCP_RR): center for path, center in PATHS.items()}
    blocks: dict[str, list[Block]] = {one.key: [] for one in series}
    for number in range(rounds):
        for one, center in series.items():
            times = [int(source.lognormvariate(0, 0.12) * center * 1000) for _ in range(requests)]
            histogram = encode_times(times)
            found = summarise_histograms([histogram])
            if found is None:
                continue
            figures = (found.p50_us, found.p90_us, found.p99_us, found.p999_us, found.max_us, found.mean_us)
            block = Block(one.key, number, number * 1.5, 0.25, found.n, found.p50_us, *figures, histogram=histogram)
            blocks[one.key].append(block)
    measurement = build_measurement(
        tuple(series), blocks, ENVIRONMENT, Options(seconds=60.0), seed=seed, stopped=Stop.TIME, elapsed_s=60.0
    )
    flat = tuple(block for own in blocks.values() for block in own)
    return FrozenRun("benchrun", "nginx on port 80", measurement, tuple(series), flat)


def make_report(seed: int = 1, entries: int = ENTRIES, rounds: int = ROUNDS, requests: int = REQUESTS) -> ReportContent:
    """The whole report."""
    arms = (ArmSpec("host", Mode.HOST), ArmSpec("bridge", Mode.BRIDGE, publish=(Publish(80, 8080),)))
    journal = make_journal(entries)
    head = journal[0].facts.head
    if head is None:
        raise ValueError("a journal begins with its head")
    engine = EngineRef("29.0", "1.52", "lab", "6.18", "Debian")
    experiment = FrozenExperiment(ExperimentSpec("A large report", "nginx", 80, arms), head, engine, journal)
    return ReportContent(
        f"A large report, {seed}", AT + 10_000 + seed, Origin.EXPERIMENT, experiment,
        (make_run(rounds, requests, seed),), environment=ENVIRONMENT, installation="bench", version="0",
    )  # fmt: skip
