"""Reports for tests, with a journal, a measurement and claims, built from recorded states."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.messages import ArmStatus, Column, EngineRef, ExperimentHead, Phase
from dashboard.core.measurements.histogram import encode_times, summarise_histograms
from dashboard.core.measurements.measurement import Block, Environment, Options, Probe, Stop
from dashboard.core.measurements.schedule import Series
from dashboard.core.measurements.summary import build_measurement
from dashboard.core.modes import ArmSpec, ExperimentSpec, Mode
from dashboard.core.namespaces.delta import delta
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.paths.model import Path, PathKind
from dashboard.core.reports.model import (
    ClaimResult,
    ClaimVerdict,
    FrozenExperiment,
    FrozenRun,
    Origin,
    ReportContent,
    canonical,
    frame,
)
from tests.core.builders import make_listener
from tests.core.scenes import recorded_scene

AT = 1_790_000_000.0
ENGINE = EngineRef("26.1.5", "1.45", "lab-1", "6.18.44", "Debian GNU/Linux 13", endpoint="unix:///run/docker.sock")
ENVIRONMENT = Environment(
    kernel="6.18.44", machine="x86_64", cpu_model="AMD EPYC 9B45", cores=2, engine="26.1.5", userland_proxy=True
)
PATHS = (
    Path(PathKind.LOOPBACK, "loopback", "machine", "host", address="127.0.0.1", port=80),
    Path(PathKind.BRIDGE_ADDRESS, "container address", "machine", "bridge", address="172.17.0.2", port=80),
    Path(PathKind.PUBLISHED_PROXY, "published port", "machine", "bridge", address="127.0.0.1", port=8080),
)


@cache
def make_blocks(key: str, center_us: float, rounds: int = 12, requests: int = 200, seed: int = 1) -> tuple[Block, ...]:
    """Blocks around a median, with histograms; the same seed gives the same blocks."""
    source = random.Random(f"{seed}{key}")
    blocks = []
    for number in range(rounds):
        times = [max(1, int(source.lognormvariate(0, 0.15) * center_us * 1000)) for _ in range(requests)]
        histogram = encode_times(times)
        total = summarise_histograms([histogram])
        assert total is not None
        figures = (total.p50_us, total.p50_us, total.p90_us, total.p99_us, total.p999_us, total.max_us, total.mean_us)
        blocks.append(Block(key, number, 0.1 * number, 0.05, total.n, *figures, histogram=histogram))
    return tuple(blocks)


@cache
def make_run(
    identity: str = "run2345678",
    centers: tuple[float, ...] = (16.0, 18.0, 43.0),
    rounds: int = 12,
    paths: tuple[Path, ...] = PATHS,
) -> FrozenRun:
    """A finished run over the first of the paths: by default loopback, container address, docker-proxy."""
    series = tuple(Series(path.key, path, Probe.TCP_RR) for path in paths[: len(centers)])
    blocks = {one.key: make_blocks(one.key, at, rounds) for one, at in zip(series, centers, strict=True)}
    measurement = build_measurement(
        series, blocks, ENVIRONMENT, Options(), seed=7, started_at="2026-09-21T14:13:20+00:00", stopped=Stop.TIME
    )
    flat = tuple(block for one in series for block in blocks[one.key])
    return FrozenRun(identity, "host bridge", measurement, series, flat)


def make_journal(changes: int = 20, *, stopped: bool = True) -> tuple[Entry, ...]:
    """A journal: the launch, states, ``changes`` of a listener that opens and closes, and the stop."""
    columns, states = recorded_scene()
    head = ExperimentHead("exp2345678", "Host or bridge", "nginx", 80, Phase.LAUNCHING, AT, engine="26.1.5", round=1)
    entries = [
        Entry(1, AT, Cause(Source.PERSON, "launch", "owner"), Facts(head=head, columns=_waiting(columns)), "Asked for"),
        Entry(2, AT + 1, Cause(Source.LAB), Facts(columns=columns, states=dict(states)), "All arms run"),
        Entry(3, AT + 1.1, Cause(Source.LAB), Facts(head=replace(head, phase=Phase.RUNNING, started_at=AT + 1))),
    ]
    before: NamespaceState = states["bridge"]
    own = next(column.container.id for column in columns if column.key == "bridge" and column.container is not None)
    for number in range(changes):
        listener = make_listener(9000 + number // 2 % 10, "nc", 5000, container=own)
        after = replace(before, listeners=(*states["bridge"].listeners, *((listener,) if number % 2 == 0 else ())))
        cause = Cause(Source.KERNEL, "listener 9000", "nc")
        facts = Facts(changes={"bridge": delta(before, after)})
        entries.append(Entry(len(entries) + 1, AT + 2 + number, cause, facts, f"Change {number}", ("bridge",)))
        before = after
    if stopped:
        gone = tuple(replace(column, status=ArmStatus.GONE, published=()) for column in columns if column.container)
        head = replace(head, phase=Phase.STOPPED, stopped_at=AT + 3 + changes)
        cause = Cause(Source.PERSON, "stop")
        entries.append(Entry(len(entries) + 1, AT + 3 + changes, cause, Facts(head=head, columns=gone), "Stopped"))
    return tuple(entries)


def _waiting(columns: Sequence[Column]) -> tuple[Column, ...]:
    return tuple(replace(column, status=ArmStatus.WAITING, container=None, published=()) for column in columns)


def make_content(changes: int = 20, runs: Sequence[FrozenRun] | None = None, **more: object) -> ReportContent:
    """A complete report; ``more`` replaces fields of the content."""
    modes = (Mode.HOST, Mode.BRIDGE, Mode.USER_BRIDGE)
    spec = ExperimentSpec("Host or bridge", "nginx", 80, tuple(ArmSpec(str(mode), mode) for mode in modes))
    journal = make_journal(changes)
    head = journal[-1].facts.head
    assert head is not None
    content = ReportContent(
        "Host or bridge",
        AT + 100,
        Origin.EXPERIMENT,
        FrozenExperiment(spec, head, ENGINE, journal, len(journal) - 1),
        (make_run(),) if runs is None else tuple(runs),
        (ClaimResult("dns", "Names resolve.", "docs/modes.md", ClaimVerdict.HOLDS, ("127.0.0.11",)),),
        ENVIRONMENT,
        "Notes with **Markdown**.",
        ("lab", "november"),
        "Ada",
        "inst234567",
        "0.1",
    )
    return replace(content, **more)  # type: ignore[arg-type]


def make_file(content: ReportContent | None = None) -> bytes:
    """The bytes of an exported report."""
    return frame(canonical(content or make_content()))


def with_scene(columns: Sequence[Column], states: dict[str, NamespaceState], **more: object) -> ReportContent:
    """A report of an experiment with exactly these columns and states."""
    content = make_content(0, ())
    assert content.experiment is not None
    first = content.experiment.journal[0]
    head = replace(first, facts=Facts(head=content.experiment.head, columns=tuple(columns)))
    entries = (head, Entry(2, first.at + 1, first.cause, Facts(states=states), "All arms run"))
    experiment = replace(content.experiment, journal=entries, shown_seq=0)
    return replace(content, experiment=experiment, **more)  # type: ignore[arg-type]
