"""Makes a large report without an engine. It has two arms, ten thousand entries of ports that open and close, and a
million timed requests."""

import random
from dataclasses import replace
from typing import Any

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.messages import (
    ArmStatus,
    Column,
    ContainerRef,
    EngineRef,
    ExperimentHead,
    Phase,
    PublishedPort,
)
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
MACHINE_NETNS = 4026531840
CONTAINERS = {"host": "a1" * 32, "bridge": "b2" * 32}
#: The medians of the paths, in µs.
PATHS = {
    Path(PathKind.LOOPBACK, "loopback", "machine", "host", address="127.0.0.1", port=80): 16.0,
    Path(PathKind.LOOPBACK, "loopback", "machine", "host", Family.INET6, "::1", 80): 16.2,
    Path(PathKind.BRIDGE_ADDRESS, "container address", "machine", "bridge", address="172.17.0.2", port=80): 18.0,
    Path(PathKind.PUBLISHED_DNAT, "published port", "machine", "bridge", address="192.0.2.2", port=8080): 19.0,
    Path(PathKind.PUBLISHED_PROXY, "published port", "machine", "bridge", address="127.0.0.1", port=8080): 43.0,
    Path(PathKind.PUBLISHED_PROXY, "published port", "machine", "bridge", Family.INET6, "::1", 8080): 44.0,
}


def make_link(name: str, index: int, kind: str, address: str = "", prefix: int = 16, **more: Any) -> Interface:
    """Makes an interface with one IPv4 address, or none if ``address`` is empty. ``more`` are other fields of the
    interface."""
    addresses = (Address(address, prefix, Family.INET),) if address else ()
    return Interface(name, index, kind, f"02:42:00:00:00:{index:02x}", addresses=addresses, **more)


def make_listener(port: int, process: str, container: str | None = None, pid: int = 0) -> Listener:
    """Makes a TCP listener on all IPv4 addresses."""
    address = "0.0.0.0"  # noqa: S104 - only shown
    return Listener(Protocol.TCP, Family.INET, address, port, pid or 1000 + port, process, container)


def make_state(
    netns: int, hostname: str, links: list[Interface], gateway: str, listeners: list[Listener], **more: Any
) -> NamespaceState:
    """Makes the state of a namespace with the loopback interface, ``links`` and ``listeners``, and a default route
    through eth0. ``more`` are other fields of the state."""
    loopback = Interface("lo", 1, "loopback", addresses=(Address("127.0.0.1", 8, Family.INET, "host"),))
    route = Route(Family.INET, "default", gateway, "eth0")
    state = NamespaceState(netns, hostname, {"net": netns}, (loopback, *links), (route,), tuple(listeners), **more)
    return sorted_state(state)


def make_column(key: str, mode: str, container: str, host_port: int | None = None) -> Column:
    """Makes the column of an nginx container, which publishes port 80 at ``host_port`` unless that is None."""
    ref = ContainerRef(container, f"nm-{key}", "nginx")
    if host_port is None:
        return Column(key, mode, key, ref, f"docker run --net {mode} nginx")
    published = (PublishedPort(80, "tcp", "0.0.0.0", host_port),)  # noqa: S104 - only shown
    command = f"docker run -p {host_port}:80 nginx"
    return Column(key, mode, key, ref, command, published=published, asked=published)


def _scene() -> tuple[tuple[Column, ...], dict[str, NamespaceState]]:
    machine = make_state(
        MACHINE_NETNS,
        "lab",
        [
            make_link("eth0", 2, "physical", "192.0.2.2", 24),
            make_link("docker0", 3, "bridge", "172.17.0.1"),
            make_link("veth1a2b3c4", 7, "veth", peer="if6", master="docker0"),
        ],
        "192.0.2.1",
        [
            make_listener(22, "sshd"),
            make_listener(80, "nginx", CONTAINERS["host"]),
            make_listener(8080, "docker-proxy"),
        ],
    )
    bridge = make_state(
        4026532561,
        CONTAINERS["bridge"][:12],
        [make_link("eth0", 6, "veth", "172.17.0.2", peer="if7")],
        "172.17.0.1",
        [make_listener(80, "nginx", CONTAINERS["bridge"])],
    )
    columns = (
        Column("machine", "machine", "this machine"),
        make_column("host", "host", CONTAINERS["host"]),
        replace(make_column("bridge", "bridge", CONTAINERS["bridge"], 8080), networks={"bridge": "172.17.0.2"}),
    )
    return columns, {"machine": machine, "host": machine, "bridge": bridge}


def make_journal(entries: int) -> tuple[Entry, ...]:
    """Makes a journal of this many entries: a launch, then listeners of the bridged container that open and close."""
    columns, states = _scene()
    head = ExperimentHead("bench", "A large report", "nginx", 80, Phase.RUNNING, AT, AT + 1, engine="29.0", round=1)
    waiting = tuple(replace(column, status=ArmStatus.WAITING, published=()) for column in columns)
    journal = [
        Entry(1, AT, Cause(Source.PERSON, "launch"), Facts(head=head, columns=waiting), "Launch requested"),
        Entry(2, AT + 1, Cause(Source.LAB), Facts(columns=columns, states=states), "All arms run"),
    ]
    closed = before = states["bridge"]
    for number in range(3, entries + 1):
        port, opens = 9000 + number // 2 % 40, number % 2 == 1
        opened = (make_listener(port, "python3", CONTAINERS["bridge"]),) if opens else ()
        after = sorted_state(replace(closed, listeners=(*closed.listeners, *opened)))
        text = f"python3 {'opens' if opens else 'closes'} :{port} in bridge"
        cause = Cause(Source.KERNEL, f"listener {port}", f"process {1000 + port}")
        facts = Facts(changes={"bridge": delta(before, after)})
        journal.append(Entry(number, AT + number / 10, cause, facts, text, ("bridge",)))
        before = after
    return tuple(journal)


def make_run(rounds: int, requests: int, seed: int) -> FrozenRun:
    """Makes a finished measurement of ``PATHS`` with ``rounds`` blocks of ``requests`` requests for each path."""
    source = random.Random(seed)  # noqa: S311 - nothing secret
    series = {Series(path.key, path, Probe.TCP_RR): center for path, center in PATHS.items()}
    blocks: dict[str, list[Block]] = {each.key: [] for each in series}
    for number in range(rounds):
        for each, center in series.items():
            histogram = encode_times([int(source.lognormvariate(0, 0.12) * center * 1000) for _ in range(requests)])
            summary = summarise_histograms([histogram])
            if summary is None:
                raise ValueError("a block without requests")
            figures = (summary.p50_us, summary.p90_us, summary.p99_us, summary.p999_us, summary.max_us, summary.mean_us)
            block = Block(
                each.key, number, number * 1.5, 0.25, summary.n, summary.p50_us, *figures, histogram=histogram
            )
            blocks[each.key].append(block)
    measurement = build_measurement(
        tuple(series), blocks, ENVIRONMENT, Options(seconds=60.0), seed=seed, stopped=Stop.TIME, elapsed_s=60.0
    )
    flat = tuple(block for own in blocks.values() for block in own)
    return FrozenRun("benchrun", "nginx on port 80", measurement, tuple(series), flat)


def make_report(seed: int = 1, entries: int = ENTRIES, rounds: int = ROUNDS, requests: int = REQUESTS) -> ReportContent:
    """Makes a report with this many entries, and a measurement with this many rounds and requests. The same ``seed``
    gives the same report."""
    arms = (ArmSpec("host", Mode.HOST), ArmSpec("bridge", Mode.BRIDGE, publish=(Publish(80, 8080),)))
    journal = make_journal(entries)
    head = journal[0].facts.head
    if head is None:
        raise ValueError("the journal begins without a head")
    engine = EngineRef("29.0", "1.52", "lab", "6.18", "Debian")
    experiment = FrozenExperiment(ExperimentSpec("A large report", "nginx", 80, arms), head, engine, journal)
    run = make_run(rounds, requests, seed)
    return ReportContent(
        f"A large report, {seed}",
        AT + 10_000 + seed,
        Origin.EXPERIMENT,
        experiment,
        (run,),
        environment=ENVIRONMENT,
        installation="bench",
        version="0",
    )
