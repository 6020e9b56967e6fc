"""Reports for the tests: an experiment with its journal, measurements with known differences, claims."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.messages import EngineRef, ExperimentHead, Phase
from dashboard.core.measurements.histogram import encode_times
from dashboard.core.measurements.measurement import Block, Environment, Options, Probe, Stop
from dashboard.core.measurements.schedule import make_series, missing_paths
from dashboard.core.measurements.summary import build_measurement
from dashboard.core.modes import ArmSpec, ExperimentSpec, Mode
from dashboard.core.paths.finder import measured_paths
from dashboard.core.paths.model import Path
from dashboard.core.reports.model import FrozenExperiment, FrozenRun, Origin, ReportContent
from tests.core.scenes import make_scene

SAVED_AT = 1_780_000_000.0
SHIFTS = {"bridge-address": 1.5, "published-dnat": 3.1, "published-proxy": 29.8}
ENGINE = EngineRef("26.1.5", "1.45", "lab-1", "6.18.1", "Debian")
ENVIRONMENT = Environment(
    kernel="6.18.1", machine="x86_64", cpu_model="AMD EPYC", cores=2, client_core=0, responder_core=1,
    governor="performance", virtualisation="kvm", engine="26.1.5", engine_api="1.45", userland_proxy=True,
    firewall_backend="iptables", mtu={"lo": 65536, "docker0": 1500}, offloads={"lo": ("sg", "tso")},
    load_before=(0.1, 0.2, 0.3), load_after=(0.4, 0.5, 0.6), python="3.13.5",
)  # fmt: skip


def make_blocks(
    key: str, path: Path, count: int = 30, *, shift_us: float = 0.0, requests: int = 60, seed: int = 0
) -> list[Block]:
    """Blocks around the path's own median, ``shift_us`` later."""
    source = random.Random(f"{key} {seed}")
    blocks = []
    for number in range(count):
        middle = 18.6 + SHIFTS.get(str(path.kind), 0.0) + shift_us + source.gauss(0, 0.3)
        times = [int(1000 * max(1.0, source.gauss(middle, 2))) for _ in range(requests)]
        blocks.append(
            Block(
                key, number, number * 0.3, 0.05, requests, middle, middle, middle + 3, middle + 5, middle + 9,
                middle + 20, middle, histogram=encode_times(times),
            )
        )  # fmt: skip
    return blocks


def light(block: Block) -> dict[str, Any]:
    """A block without its histogram."""
    names = ("series", "round", "started_s", "center_us", "p50_us", "p99_us", "n", "error")
    return {name: getattr(block, name) for name in names}


def make_run(
    modes: Sequence[str] = ("host", "bridge", "none"),
    probes: Sequence[Probe] = (Probe.TCP_RR,),
    *,
    count: int = 30,
    shift_us: float = 0.0,
    seed: int = 0,
    environment: Environment = ENVIRONMENT,
    options: Options | None = None,
) -> FrozenRun:
    """A finished run over the paths of these modes."""
    options = options or Options()
    paths = measured_paths(*make_scene(modes))
    series = make_series(paths, probes)
    blocks = {one.key: make_blocks(one.key, one.path, count, shift_us=shift_us, seed=seed) for one in series if count}
    found = build_measurement(
        series,
        blocks,
        environment,
        options,
        seed=7,
        missing=missing_paths(paths, probes),
        started_at="2026-11-20T10:00:00+00:00",
        elapsed_s=10.0,
        stopped=Stop.TIME,
        stop_reason="The time of 10 s is up.",
    )
    return FrozenRun("r1", "nginx on port 80", found, series, tuple(one for own in blocks.values() for one in own))


def make_experiment(modes: Sequence[str] = ("host", "bridge", "none"), **changed: Any) -> FrozenExperiment:
    """An experiment with two entries: the first observation, then ``changed`` columns or states."""
    columns, states = make_scene(modes)
    spec = ExperimentSpec("nginx on port 80", "nginx", 80, tuple(ArmSpec(one, Mode(one)) for one in modes))
    head = ExperimentHead("7f2a9c", spec.title, "nginx", 80, Phase.RUNNING, SAVED_AT - 60, SAVED_AT - 50)
    journal = [
        Entry(1, SAVED_AT - 60, Cause(Source.PERSON, "launch"), Facts(head), "The experiment was asked for."),
        Entry(2, SAVED_AT - 50, Cause(Source.ENGINE, "start"), Facts(columns=columns, states=states), "Three run."),
    ]
    if changed:
        journal.append(Entry(3, SAVED_AT - 40, Cause(Source.KERNEL, "address"), Facts(**changed), "Something changed."))
    return FrozenExperiment(spec, head, ENGINE, tuple(journal))


def make_content(title: str = "Host or bridge", **more: Any) -> ReportContent:
    """A report of an experiment with one measurement; keyword arguments set further fields."""
    fields: dict[str, Any] = {
        "experiment": make_experiment(),
        "environment": ENVIRONMENT,
        "notes": "Seen on **one** machine.",
        "tags": ("lab",),
        "author": "Ada",
        "installation": "a1b2c3d4",
        "version": "0.1.0",
    }
    if "measurements" not in more:
        fields["measurements"] = (make_run(),)
    return ReportContent(title, SAVED_AT, Origin.EXPERIMENT, **(fields | more))


def with_environment(content: ReportContent, **changed: Any) -> ReportContent:
    """The same report saved on another machine."""
    environment = replace(content.environment, **changed)
    runs = tuple(
        replace(run, measurement=replace(run.measurement, environment=environment)) for run in content.measurements
    )
    return replace(content, environment=environment, measurements=runs)
