"""A report ready to be shown: everything that its page needs, made once when it is saved or imported.

Neither the journal nor the histograms are touched again. The shape is JSON (msgspec); a stored one of another
``VERSION`` is made anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from dashboard.core.comparison.rows import compare
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.initial_columns import first_columns
from dashboard.core.experiments.journal import replay
from dashboard.core.experiments.messages import EngineRef
from dashboard.core.experiments.stream import Snapshot
from dashboard.core.experiments.timeline import timeline_item
from dashboard.core.measurements.formatting import mode_of
from dashboard.core.measurements.headline import label_of
from dashboard.core.measurements.histogram import BadHistogram, cumulative_shares, merge_histograms
from dashboard.core.measurements.measurement import Block, Environment, Measurement, Probe
from dashboard.core.measurements.statistics import median
from dashboard.core.reports.model import ClaimResult, FrozenExperiment, FrozenRun, Origin, ReportContent
from dashboard.core.reports.summary import Summary, summarise

VERSION = 1
#: A drawing has no more points than this; figures are of all blocks.
MOST_ROUNDS = 400
ECDF_POINTS = 120


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and what is known under it; several lines are separated by newlines."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class SeriesShape:
    """One series for drawing and in figures. ``at_s`` are seconds since the run began, thinned out to
    ``MOST_ROUNDS`` blocks that count, with their rounds, p50 and p99; the other figures are of all blocks, None
    without one.
    ``ecdf``: time in µs, share of requests that took at most that long."""

    key: str
    label: str
    column: str
    path: str
    probe: Probe
    mode: str
    blocks: int = 0
    failed: int = 0
    lowest_us: float | None = None
    middle_us: float | None = None
    highest_us: float | None = None
    tail_us: float | None = None
    rounds: tuple[int, ...] = ()
    at_s: tuple[float, ...] = ()
    p50_us: tuple[float, ...] = ()
    p99_us: tuple[float, ...] = ()
    ecdf: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class RunView:
    """A measurement with what is drawn of it; ``shapes`` in the order of its series, those that were measured."""

    id: str
    title: str
    measurement: Measurement
    shapes: tuple[SeriesShape, ...]
    environment: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class ReportView:
    """The whole report for a reader. ``shown_at`` is the time of the entry that ``snapshot`` shows; ``modes`` the
    mode of each column; ``evidence`` says what the report rests on."""

    title: str
    saved_at: float
    origin: Origin
    summary: Summary
    snapshot: Snapshot | None = None
    shown_at: float | None = None
    engine: EngineRef | None = None
    runs: tuple[RunView, ...] = ()
    claims: tuple[ClaimResult, ...] = ()
    environment: tuple[Fact, ...] = ()
    evidence: tuple[Fact, ...] = ()
    modes: dict[str, str] = field(default_factory=dict)
    notes: str = ""
    tags: tuple[str, ...] = ()
    author: str = ""
    installation: str = ""
    netmodes_version: str = ""
    version: int = VERSION


def column_modes(content: ReportContent) -> dict[str, str]:
    """The mode of each column: as the experiment asked, else as its key says, else ``machine``."""
    found = {arm.key: str(arm.mode) for arm in content.experiment.spec.arms} if content.experiment is not None else {}
    for run in content.measurements:
        for one in run.measurement.series:
            found.setdefault(one.column, mode_of(one.column))
    return found


def show_experiment(frozen: FrozenExperiment) -> Snapshot:
    """The experiment as it was at its newest entry, one that is over as before the stop; with its whole timeline."""
    entries = frozen.journal
    head = frozen.head
    kept = entries
    if frozen.shown_seq:
        kept = tuple(entry for entry in entries if entry.seq <= frozen.shown_seq)
        head = replace(head, as_it_was=kept[-1].at if kept else None)
    shown = replay(kept)
    columns = shown.columns if kept else first_columns(head.id, frozen.spec.arms)
    first = entries[0].at if entries else 0.0
    items = tuple(timeline_item(entry, first) for entry in entries if entry.text)
    wide, narrow = draw(columns, shown.states)
    seq = entries[-1].seq if entries else 0
    return Snapshot(seq, head, columns, compare(columns, shown.states), wide, narrow, items)


def _thin(blocks: Sequence[Block]) -> Sequence[Block]:
    if len(blocks) <= MOST_ROUNDS:
        return blocks
    step = (len(blocks) - 1) / (MOST_ROUNDS - 1)
    return [blocks[round(number * step)] for number in range(MOST_ROUNDS)]


def _curve(blocks: Sequence[Block]) -> tuple[tuple[float, float], ...]:
    parts = [block.histogram for block in blocks if block.histogram]
    try:
        points = cumulative_shares(merge_histograms(parts), ECDF_POINTS) if parts else ()
    except BadHistogram:
        return ()
    return tuple((round(time, 3), round(share, 6)) for time, share in points)


def shape_run(run: FrozenRun, modes: Mapping[str, str]) -> tuple[SeriesShape, ...]:
    """What is drawn of a run. A histogram that cannot be read leaves its series without a curve."""
    own: dict[str, list[Block]] = defaultdict(list)
    for block in run.blocks:
        own[block.series].append(block)
    found = []
    for one in run.measurement.series:
        blocks = own.get(one.key, [])
        if not blocks:
            continue
        good = sorted((block for block in blocks if block.counts), key=lambda block: block.started_s)
        shape = SeriesShape(
            one.key, label_of(one), one.column, one.path, one.probe, modes.get(one.column, "machine"), len(blocks)
        )
        if good:
            middles, tails = [block.p50_us for block in good], [block.p99_us for block in good]
            thin = _thin(good)
            shape = replace(
                shape,
                lowest_us=min(middles),
                middle_us=median(middles),
                highest_us=max(middles),
                tail_us=median(tails),
                rounds=tuple(block.round for block in thin),
                at_s=tuple(round(block.started_s, 3) for block in thin),
                p50_us=tuple(round(block.p50_us, 3) for block in thin),
                p99_us=tuple(round(block.p99_us, 3) for block in thin),
                ecdf=_curve(good),
            )
        found.append(replace(shape, failed=len(blocks) - len(good)))
    return tuple(found)


def environment_facts(environment: Environment, engine: EngineRef | None = None) -> tuple[Fact, ...]:
    """What is known of where it was, in words; what is not known is left out."""
    cores = [str(one) for one in (environment.client_core, environment.responder_core) if one is not None]
    said = {True: "on", False: "off", None: ""}
    loads = [
        f"{when} {' '.join(f'{value:.2f}' for value in load)}"
        for when, load in (("before", environment.load_before), ("after", environment.load_after))
        if load is not None
    ]
    docker = f"{environment.engine} (API {environment.engine_api})" if environment.engine else ""
    if engine is not None and engine.version:
        docker = f"{engine.version} (API {engine.api})"
    system = engine.system if engine is not None else ""
    kernel = environment.kernel or (engine.kernel if engine is not None else "")
    facts = (
        ("operating system", system),
        ("kernel", f"{kernel} {environment.machine}".strip()),
        ("processor", environment.cpu_model),
        ("cores", str(environment.cores) if environment.cores else ""),
        ("client and responder on cores", " and ".join(cores) if len(cores) == 2 else ""),
        ("frequency governor", environment.governor),
        ("idle cores", "kept awake" if environment.cores_awake else ""),
        ("virtualisation", environment.virtualisation),
        ("Docker Engine", docker),
        ("host name of the Engine", engine.name if engine is not None else ""),
        ("private host", "yes: an Engine of Netmodes' own" if engine is not None and engine.private else ""),
        ("docker-proxy", said[environment.userland_proxy]),
        ("firewall backend", environment.firewall_backend),
        ("MTU", "\n".join(f"{name} {mtu}" for name, mtu in environment.mtu.items())),
        ("offloads", "\n".join(f"{name}: {', '.join(one)}" for name, one in environment.offloads.items())),
        ("load average", "\n".join(loads)),
        ("Python", environment.python),
    )
    return tuple(Fact(label, text) for label, text in facts if text)


def _evidence(content: ReportContent, snapshot: Snapshot | None) -> tuple[Fact, ...]:
    facts = []
    experiment = content.experiment
    if experiment is not None:
        entries = experiment.journal
        facts.append(Fact("journal entries", str(len(entries))))
        facts.append(Fact("experiment", experiment.head.id))
        if snapshot is not None:
            facts.append(Fact("rows compared", str(len(snapshot.rows))))
    for run in content.measurements:
        samples = sum(block.n for block in run.blocks)
        facts.append(
            Fact(
                f"measurement {run.id}",
                f"{len(run.blocks)} blocks, {samples} timed requests, seed {run.measurement.seed}, "
                f"{run.measurement.elapsed_s:.1f} s",
            )
        )
    if content.claims:
        facts.append(Fact("claims", str(len(content.claims))))
    return tuple(facts)


def build_view(content: ReportContent) -> ReportView:
    """The report as it is read. Takes a second for 10,000 entries: it is made once, not for each reader."""
    experiment = content.experiment
    snapshot = show_experiment(experiment) if experiment is not None else None
    modes = column_modes(content)
    shown_at = None
    if experiment is not None and snapshot is not None:
        newest = experiment.journal[-1].at if experiment.journal else None
        shown_at = snapshot.experiment.as_it_was or newest
    return ReportView(
        title=content.title,
        saved_at=content.saved_at,
        origin=content.origin,
        summary=summarise(content, snapshot),
        snapshot=snapshot,
        shown_at=shown_at,
        engine=experiment.engine if experiment is not None else None,
        runs=tuple(
            RunView(
                run.id,
                run.title,
                run.measurement,
                shape_run(run, modes),
                environment_facts(run.measurement.environment),
            )
            for run in content.measurements
        ),
        claims=content.claims,
        environment=environment_facts(content.environment, experiment.engine if experiment is not None else None),
        evidence=_evidence(content, snapshot),
        modes=modes,
        notes=content.notes,
        tags=content.tags,
        author=content.author,
        installation=content.installation,
        netmodes_version=content.version,
    )


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ReportView)


def encode_view(view: ReportView) -> bytes:
    """JSON, to be stored."""
    return _encoder.encode(view)


def decode_view(stored: bytes) -> ReportView:
    """The view back from its JSON; msgspec.ValidationError where it is of another version."""
    return _decoder.decode(stored)
