"""The view of a report: everything that its page shows. It is computed once, when the report is saved or imported.

A view is stored as JSON, so that no reader waits for the journal or the histograms. A stored view whose version is not
``VERSION`` is computed again.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from dashboard.core.comparison.rows import compare
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.initial_columns import initial_columns
from dashboard.core.experiments.journal import replay
from dashboard.core.experiments.messages import EngineRef
from dashboard.core.experiments.stream import Snapshot
from dashboard.core.experiments.timeline import timeline_item
from dashboard.core.measurements.formatting import mode_of
from dashboard.core.measurements.headline import label_of
from dashboard.core.measurements.histogram import BadHistogram, cumulative_shares, merge_histograms, percentiles
from dashboard.core.measurements.measurement import Block, Measurement, Probe
from dashboard.core.measurements.statistics import median
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.reports.facts import Fact, environment_facts, report_facts
from dashboard.core.reports.model import ClaimResult, FrozenExperiment, FrozenRun, Origin, ReportContent
from dashboard.core.reports.summary import Summary, summarise

VERSION = 5
#: The maximum number of points of a line in a chart; figures are computed from all blocks.
MAX_ROUNDS = 400
ECDF_POINTS = 120
#: The percentiles of the table of a distribution.
PERCENTS = (10, 25, 50, 75, 90, 99, 99.9)


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """The figures of one series, and the points of its lines in charts.

    ``blocks`` counts all blocks, ``failed`` the invalid ones. All other figures are of the valid blocks. ``lowest_us``,
    ``median_us`` and ``highest_us`` describe their medians. ``median_p99_us`` is the median of their p99. These four
    are None without a valid block. ``at_s``, ``p50_us`` and ``p99_us`` have one value for each drawn block.
    """

    key: str
    label: str
    column: str
    path: str
    probe: Probe
    mode: str
    blocks: int = 0
    failed: int = 0
    lowest_us: float | None = None
    median_us: float | None = None
    highest_us: float | None = None
    median_p99_us: float | None = None
    at_s: tuple[float, ...] = ()  # when the blocks began, from the start of the run
    p50_us: tuple[float, ...] = ()
    p99_us: tuple[float, ...] = ()
    ecdf: tuple[tuple[float, float], ...] = ()  # times in µs, shares of requests that took no longer
    percentiles_us: tuple[float, ...] = ()  # those of PERCENTS


@dataclass(frozen=True, slots=True)
class RunView:
    """A measurement with a summary of each series that has blocks, and the facts about its environment."""

    id: str
    title: str
    measurement: Measurement
    series: tuple[SeriesSummary, ...]
    environment: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class ReportView:
    """The whole report as its page shows it. ``snapshot`` is None if the report has no experiment. ``modes`` maps the
    keys of columns to modes. ``evidence`` lists how much data the report contains."""

    title: str
    saved_at: float
    origin: Origin
    summary: Summary
    snapshot: Snapshot | None = None
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


def column_modes(content: ReportContent) -> dict[str, str]:
    """Returns the mode of each column: the requested one, else the one that its key names, else ``machine``."""
    modes = {arm.key: str(arm.mode) for arm in content.experiment.spec.arms} if content.experiment is not None else {}
    for run in content.measurements:
        for series in run.measurement.series:
            modes.setdefault(series.column, mode_of(series.column))
    return modes


def build_snapshot(frozen: FrozenExperiment) -> tuple[Snapshot, NamespaceState | None]:
    """Returns the experiment at the journal entry with which the page opens, and the machine's state at this entry
    (None if unknown). The timeline contains all entries."""
    head, shown_entries = frozen.head, frozen.journal
    if frozen.shown_seq:
        shown_entries = tuple(entry for entry in frozen.journal if entry.seq <= frozen.shown_seq)
        head = replace(head, as_it_was=shown_entries[-1].at if shown_entries else None)
    shown = replay(shown_entries)
    columns = shown.columns if shown_entries else initial_columns(head.id, frozen.spec.arms)
    started_at = frozen.journal[0].at if frozen.journal else 0.0
    timeline = tuple(timeline_item(entry, started_at) for entry in frozen.journal if entry.text)
    seq = frozen.journal[-1].seq if frozen.journal else 0
    rows, drawing = compare(columns, shown.states), draw(columns, shown.states)
    snapshot = Snapshot(seq, head, columns, rows, *drawing, timeline, trial=shown.trial)
    return snapshot, shown.states.get(MACHINE)


def _thin_out(blocks: Sequence[Block]) -> Sequence[Block]:
    if len(blocks) <= MAX_ROUNDS:
        return blocks
    step = (len(blocks) - 1) / (MAX_ROUNDS - 1)
    return [blocks[round(number * step)] for number in range(MAX_ROUNDS)]


def _distribution(blocks: Sequence[Block]) -> tuple[tuple[tuple[float, float], ...], tuple[float, ...]]:
    """Returns the cumulative distribution of the blocks' times, and the percentiles ``PERCENTS``; both are empty if a
    histogram cannot be read."""
    try:
        whole = merge_histograms(block.histogram for block in blocks)
        points = cumulative_shares(whole, ECDF_POINTS)
        return tuple((round(time, 3), round(share, 6)) for time, share in points), percentiles(whole, PERCENTS)
    except BadHistogram:
        return (), ()


def summarise_run(run: FrozenRun, modes: Mapping[str, str]) -> tuple[SeriesSummary, ...]:
    """Returns a summary of each series that has blocks. ``modes`` maps columns to modes."""
    blocks_of: dict[str, list[Block]] = defaultdict(list)
    for block in run.blocks:
        blocks_of[block.series].append(block)
    summaries = []
    for one in run.measurement.series:
        blocks = blocks_of.get(one.key, [])
        if not blocks:
            continue
        counted = sorted((block for block in blocks if block.counts), key=lambda block: block.started_s)
        medians = [block.p50_us for block in counted]
        drawn = _thin_out(counted)
        ecdf, percentiles_us = _distribution(counted)
        summaries.append(
            SeriesSummary(
                key=one.key,
                label=label_of(one),
                column=one.column,
                path=one.path,
                probe=one.probe,
                mode=modes.get(one.column, "machine"),
                blocks=len(blocks),
                failed=len(blocks) - len(counted),
                lowest_us=min(medians, default=None),
                median_us=median(medians) if counted else None,
                highest_us=max(medians, default=None),
                median_p99_us=median([block.p99_us for block in counted]) if counted else None,
                at_s=tuple(round(block.started_s, 3) for block in drawn),
                p50_us=tuple(round(block.p50_us, 3) for block in drawn),
                p99_us=tuple(round(block.p99_us, 3) for block in drawn),
                ecdf=ecdf,
                percentiles_us=percentiles_us,
            )
        )
    return tuple(summaries)


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
    """Computes the view of a report. Takes about a second for 10,000 entries."""
    experiment = content.experiment
    snapshot, machine = build_snapshot(experiment) if experiment is not None else (None, None)
    modes = column_modes(content)
    return ReportView(
        title=content.title,
        saved_at=content.saved_at,
        origin=content.origin,
        summary=summarise(content, snapshot, machine),
        snapshot=snapshot,
        engine=experiment.engine if experiment is not None else None,
        runs=tuple(
            RunView(
                run.id,
                run.title,
                run.measurement,
                summarise_run(run, modes),
                environment_facts(run.measurement.environment),
            )
            for run in content.measurements
        ),
        claims=content.claims,
        environment=report_facts(content, snapshot.columns if snapshot is not None else ()),
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
    """Returns the view as JSON."""
    return _encoder.encode(view)


def decode_view(stored: bytes) -> ReportView:
    """Decodes the JSON of a view. Raises msgspec.ValidationError if its fields are those of another version."""
    return _decoder.decode(stored)
