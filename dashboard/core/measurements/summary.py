"""Builds the document ``measurement/1`` from blocks: the figures of each series, and comparisons with their
verdicts."""

from collections import Counter
from collections.abc import Mapping, Sequence

from dashboard.core.measurements.histogram import summarise_histograms
from dashboard.core.measurements.measurement import (
    Block,
    ComparisonResult,
    Environment,
    Measurement,
    Options,
    Probe,
    SeriesResult,
    Stop,
)
from dashboard.core.measurements.schedule import Series, choose_baselines
from dashboard.core.measurements.statistics import ends_of, median
from dashboard.core.measurements.verdicts import Same, default_margin, judge_blocks, name_of, pair_blocks, reason_of
from dashboard.core.paths.model import Path
from dashboard.core.paths.words import cause_between

MAX_SENTENCES = 5


def _sentences(texts: Sequence[str]) -> tuple[str, ...]:
    """Returns the most frequent distinct texts, at most ``MAX_SENTENCES``. A text that occurs several times is followed
    by its count."""
    counted = Counter(text for text in texts if text).most_common(MAX_SENTENCES)
    return tuple(text if times == 1 else f"{text} ({times} times)" for text, times in counted)


def summarise_series(series: Series, blocks: Sequence[Block], refused: str = "") -> SeriesResult:
    """Returns the figures of one series over all valid blocks; percentiles are those of the merged histograms.
    ``refused`` is a sentence on why the run abandoned the series; empty if it did not.

    Times of tcp-stream are those for handing one payload to the kernel.
    """
    good = [block for block in blocks if block.counts]
    whole = summarise_histograms(block.histogram for block in good)
    rates = [block.bytes_per_s for block in good if block.bytes_per_s is not None]
    errors = _sentences([block.error for block in blocks])
    return SeriesResult(
        series.path.server,
        series.path.name,
        series.probe,
        whole.n if whole else 0,
        whole.p50_us if whole else None,
        whole.p90_us if whole else None,
        whole.p99_us if whole else None,
        whole.p999_us if whole else None,
        whole.max_us if whole else None,
        whole.mean_us if whole else None,
        key=series.key,
        title=series.path.title,
        client=series.path.client,
        target=series.path.target or series.path.address,
        hops=series.path.hops,
        blocks=len(blocks),
        failed_blocks=sum(bool(block.error) for block in blocks),
        errors=(refused, *errors) if refused else errors,
        notes=_sentences([block.note for block in blocks]),
        bytes_per_s=median(rates) if rates else None,
    )


def missing_series(path: Path, probe: Probe, reason: str) -> SeriesResult:
    """Returns the result for a path that was not measured, with the reason: it does not exist or does not suit the
    probe."""
    return SeriesResult(
        path.server,
        path.name,
        probe,
        0,
        *(None,) * 6,
        key=path.key,
        title=path.title,
        client=path.client,
        target=path.target,
        hops=path.hops,
        unavailable=reason,
    )


def compare_series(
    baseline: Series, other: Series, blocks: Mapping[str, Sequence[Block]], options: Options, seed: int
) -> ComparisonResult:
    """Returns the comparison of ``other`` with ``baseline``. The result names the cause of a difference if the paths
    prove one. ``blocks`` has the blocks of each series by key."""
    mine, theirs = blocks.get(baseline.key, ()), blocks.get(other.key, ())
    found = judge_blocks(mine, theirs, margin_us=options.same_within_us, seed=seed)
    pairs = pair_blocks(mine, theirs)
    margin = options.same_within_us
    if margin is None and pairs:
        margin = default_margin(median(one.center_us for one, _ in pairs))
    verdict = name_of(found.verdict)
    return ComparisonResult(
        baseline.key,
        other.key,
        other.probe,
        found.delta_us,
        ends_of(found.ci95_us),
        verdict,
        reason_of(found),
        rounds=found.rounds,
        within_us=found.verdict.within_us if isinstance(found.verdict, Same) else margin,
        p99_delta_us=found.p99_delta_us,
        p99_ci95_us=ends_of(found.p99_ci95_us),
        cause=cause_between(baseline.path, other.path) if verdict in {"slower", "faster"} else "",
    )


def build_measurement(
    series: Sequence[Series],
    blocks: Mapping[str, Sequence[Block]],
    environment: Environment,
    options: Options,
    *,
    seed: int,
    missing: Sequence[tuple[Path, Probe, str]] = (),
    refused: Mapping[str, str] | None = None,
    started_at: str = "",
    elapsed_s: float = 0.0,
    stopped: Stop | None = None,
    stop_reason: str = "",
) -> Measurement:
    """Returns the document of a run. The same blocks and seed give the same figures. ``blocks`` has the blocks of each
    series by key. ``missing`` are the paths that were not measured, with probe and reason. ``refused`` has the reason
    for each series that the run abandoned, by key. ``stopped`` is None if the run was killed or still runs."""
    refused = refused or {}
    by_key = {one.key: one for one in series}
    results = [summarise_series(one, blocks.get(one.key, ()), refused.get(one.key, "")) for one in series]
    results += [missing_series(path, probe, reason) for path, probe, reason in missing]
    comparisons = [
        compare_series(by_key[baseline], by_key[key], blocks, options, seed)
        for key, baseline in choose_baselines(series).items()
        if key != baseline
    ]
    return Measurement(
        environment,
        tuple(results),
        tuple(comparisons),
        options=options,
        seed=seed,
        started_at=started_at,
        elapsed_s=elapsed_s,
        stopped=stopped,
        stop_reason=stop_reason,
        complete=stopped in {Stop.NARROW, Stop.TIME},
    )
