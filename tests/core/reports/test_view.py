"""dashboard.core.reports.view."""

from __future__ import annotations

from dataclasses import replace

from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.messages import ArmStatus, Phase
from dashboard.core.measurements.statistics import median
from dashboard.core.reports.model import ClaimResult, ClaimVerdict, Origin, ReportContent
from dashboard.core.reports.view import (
    ECDF_POINTS,
    MAX_ROUNDS,
    build_snapshot,
    build_view,
    column_modes,
    decode_view,
    encode_view,
    summarise_run,
)
from tests.core.report_builders import SAVED_AT, make_content, make_experiment, make_run
from tests.core.scenes import make_scene


def test_a_view_survives_encoding_and_decoding() -> None:
    view = build_view(make_content())
    assert decode_view(encode_view(view)) == view


def test_a_running_experiment_is_shown_at_its_newest_entry_with_the_whole_timeline() -> None:
    columns, _states = make_scene(("host", "bridge", "none"))
    frozen = make_experiment(columns=(replace(columns[-1], status=ArmStatus.EXITED),))
    shown, _machine = build_snapshot(frozen)
    assert shown.seq == 3
    assert [one.status for one in shown.columns][-1] is ArmStatus.EXITED
    assert [one.seq for one in shown.timeline] == [1, 2, 3]
    assert shown.experiment.as_it_was is None


def test_a_stopped_experiment_is_shown_as_it_was_before_the_stop() -> None:
    frozen = make_experiment(removed=("host", "bridge", "none"))
    stopped = replace(frozen, head=replace(frozen.head, phase=Phase.STOPPED), shown_seq=2)
    shown, _machine = build_snapshot(stopped)
    columns, states = make_scene(("host", "bridge", "none"))
    assert shown.rows == compare(columns, states)
    assert shown.experiment.as_it_was == SAVED_AT - 50
    assert len(shown.timeline) == 3


def test_an_experiment_without_entries_shows_its_columns_waiting() -> None:
    frozen = replace(make_experiment(), journal=())
    assert [one.status for one in build_snapshot(frozen)[0].columns][1:] == [ArmStatus.WAITING] * 3
    assert build_view(make_content(experiment=frozen)).snapshot is not None


def test_entries_without_a_text_are_not_in_the_timeline() -> None:
    frozen = make_experiment()
    silent = Entry(3, SAVED_AT, Cause(Source.KERNEL), Facts())
    assert len(build_snapshot(replace(frozen, journal=(*frozen.journal, silent)))[0].timeline) == 2


def test_a_series_has_figures_of_all_blocks_and_lines_of_at_most_max_rounds() -> None:
    run = make_run(("host", "bridge"), count=30)
    key = run.series[0].key
    own = [block for block in run.blocks if block.series == key]
    many = [replace(own[n % 30], round=n, started_s=n / 8, p50_us=10.0 + n) for n in range(MAX_ROUNDS + 100)]
    many[7] = replace(many[7], error="gone")
    summary = summarise_run(replace(run, blocks=tuple(many)), {"host": "host"})[0]
    assert (summary.blocks, summary.failed, len(summary.at_s)) == (len(many), 1, MAX_ROUNDS)
    assert (summary.at_s[0], summary.at_s[-1]) == (0.0, many[-1].started_s)
    assert summary.median_us == median([one.p50_us for one in many if not one.error])
    assert 1 < len(summary.ecdf) <= ECDF_POINTS
    assert summary.ecdf[-1][1] == 1.0


def test_a_series_without_a_counted_block_or_with_a_broken_histogram_has_no_distribution() -> None:
    run = make_run(("host",), count=12)
    failed = replace(run, blocks=tuple(replace(block, error="no") for block in run.blocks))
    broken = replace(run, blocks=tuple(replace(block, histogram=b"x") for block in run.blocks))
    assert {(one.failed, one.median_us, one.ecdf) for one in summarise_run(failed, {})} == {(12, None, ())}
    assert {(one.failed, one.ecdf) for one in summarise_run(broken, {})} == {(0, ())}
    assert {one.percentiles_us for found in (failed, broken) for one in summarise_run(found, {})} == {()}


def test_modes_are_the_requested_ones_or_those_that_keys_name() -> None:
    run = make_run(("host", "bridge"))
    renamed = tuple(
        replace(one, column={"host": "bridge-2", "bridge": "odd"}[one.column]) for one in run.measurement.series
    )
    alone = ReportContent(
        "t", 1.0, Origin.MEASUREMENT, measurements=(replace(run, measurement=replace(run.measurement, series=renamed)),)
    )
    assert column_modes(alone) == {"bridge-2": "bridge", "odd": "machine"}
    assert column_modes(make_content())["none"] == "none"


def test_a_report_of_claims_alone_has_a_view() -> None:
    view = build_view(ReportContent("t", 1.0, Origin.CLAIMS))
    assert (view.snapshot, view.runs, view.evidence) == (None, (), ())


def test_the_evidence_counts_entries_rows_blocks_and_claims() -> None:
    run = make_run(("host", "bridge"), count=2)
    claims = (ClaimResult("dns", "It holds.", "FACTS", ClaimVerdict.HOLDS),)
    view = build_view(make_content(measurements=(run,), claims=claims))
    texts = [fact.text for fact in view.evidence]
    assert view.snapshot is not None
    samples = sum(block.n for block in run.blocks)
    assert texts[:3] == ["2", "7f2a9c", str(len(view.snapshot.rows))]
    assert texts[3].startswith(f"{len(run.blocks)} blocks, {samples} ")
    assert texts[3].endswith(", seed 7, 10.0 s")
    assert texts[4] == "1"


def test_a_series_has_as_many_points_as_blocks_up_to_the_limit() -> None:
    run = make_run(("host",), count=3)
    own = [block for block in run.blocks if block.series == run.series[0].key]
    for count in (MAX_ROUNDS, MAX_ROUNDS + 1):
        blocks = tuple(replace(own[n % 3], round=n, started_s=float(count - n)) for n in range(count))
        (summary,) = summarise_run(replace(run, blocks=blocks), {})
        assert len(summary.at_s) == MAX_ROUNDS
        assert (summary.at_s[0], summary.at_s[-1]) == (1.0, float(count))
        assert (summary.lowest_us, summary.highest_us) == (min(b.p50_us for b in own), max(b.p50_us for b in own))
        assert summary.median_p99_us == median([block.p99_us for block in blocks])
        assert summary.mode == "machine"
