"""dashboard.core.reports.compare: latency differences with intervals, flipped claims, caveats."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from dashboard.core.measurements.between_runs import DRIFT_SENTENCE, Between
from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.formatting import micros
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.statistics import Interval
from dashboard.core.measurements.verdicts import Inconclusive, Slower
from dashboard.core.paths.model import PathKind
from dashboard.core.reports.charts import interval_chart
from dashboard.core.reports.compare import ComparedReport, compare_reports, describe_between
from dashboard.core.reports.figures import decode_figures
from dashboard.core.reports.model import ClaimResult, ClaimVerdict, ReportContent, canonical
from dashboard.core.reports.trend import TrendReport, build_trend
from dashboard.core.reports.view import ReportView, build_view
from tests.core.report_builders import make_content, make_run, with_environment

MODES = ("host", "bridge")
BEFORE = make_run(MODES, seed=1)
AFTER = make_run(MODES, seed=2, shift_us=3.0)


@cache
def base_view() -> ReportView:
    return build_view(make_content(measurements=()))


def compared(content: ReportContent) -> ComparedReport:
    """The report as the page compares it, without the charts of its view."""
    view = replace(base_view(), title=content.title, claims=content.claims, modes={"host": "host", "bridge": "bridge"})
    return ComparedReport(view, decode_figures(canonical(content)))


def two(before: ReportContent, after: ReportContent) -> tuple[ComparedReport, ComparedReport]:
    return compared(before), compared(after)


CONTENTS = make_content("before", measurements=(BEFORE,)), make_content("after", measurements=(AFTER,))


def test_a_slower_run_is_slower_on_every_path_with_an_interval() -> None:
    comparison = compare_reports(two(*CONTENTS))
    assert [one.letter for one in comparison.reports] == ["A", "B"]
    assert {row.label for row in comparison.latency} >= {"host/loopback tcp-rr", "bridge/published-proxy tcp-rr"}
    for row in comparison.latency:
        (change,) = row.changes
        assert change.verdict == "slower"
        assert change.difference.ci95_us is not None
        assert pytest.approx(change.difference.delta_us, abs=0.5) == 3.0
        assert "95 % interval [+" in change.text
    (chart,) = comparison.charts
    assert [row.mode for row in chart.rows].count("host") >= 1
    assert len(chart.table.body) == len(comparison.latency)
    assert all(len(line) == len(chart.table.head) for line in chart.table.body)
    assert DRIFT_SENTENCE in comparison.caveats
    assert comparison.unmatched == ()


def test_a_series_has_the_same_mark_and_words_in_the_chart_and_in_both_tables() -> None:
    # Only one report measured over HTTP: in a list of all series, the probe would distinguish two over one path.
    more = make_run(MODES, (Probe.TCP_RR, Probe.HTTP))
    comparison = compare_reports(two(CONTENTS[0], make_content("after", measurements=(more,))))
    assert comparison.unmatched
    (chart,) = comparison.charts
    looks = {row.signature: (row.look.mark, row.look.dash, row.look.words) for row in comparison.latency}
    assert {row.key: (row.mark, row.dash, row.words) for row in chart.rows} == looks
    assert [line[0] for line in chart.table.body] == [row.look.words for row in comparison.latency]


def test_lookups_of_different_names_are_not_compared() -> None:
    contents = []
    for name in ("localhost", "web.example"):
        run = make_run(("bridge",), options=Options(lookup_name=name))
        path = replace(run.series[0].path, kind=PathKind.RESOLVER)
        series = replace(run.series[0], path=path, probe=Probe.DNS)
        contents.append(make_content("lookups", measurements=(replace(run, series=(series,)),)))
    comparison = compare_reports(two(*contents))
    assert comparison.latency == ()
    assert "bridge, container → its resolver, dns web.example 64B closed idle" in comparison.unmatched
    again = compare_reports(two(contents[1], contents[1]))
    assert "bridge/resolver dns web.example" in {row.label for row in again.latency}


def test_responses_of_another_image_have_it_as_a_possible_explanation() -> None:
    runs = [make_run(MODES, (Probe.HTTP,), seed=seed, shift_us=shift) for seed, shift in ((1, 0.0), (2, 3.0))]
    before, after = (make_content("responses", measurements=(run,)) for run in runs)
    assert after.experiment is not None
    spec = replace(after.experiment.spec, image="httpd")
    comparison = compare_reports(two(before, replace(after, experiment=replace(after.experiment, spec=spec))))
    assert {change.suspects for row in comparison.latency for change in row.changes} == {("image",)}
    (row,) = (one for one in comparison.environment if one.differs)
    assert (row.label, row.texts) == ("image", ("nginx", "httpd"))


def test_series_of_different_conditions_are_not_compared() -> None:
    environment = replace(BEFORE.measurement.environment, conditions=Conditions.ORDINARY)
    ordinary = make_run(MODES, seed=2, options=Options(conditions=Conditions.ORDINARY), environment=environment)
    quiet, other = CONTENTS[0], make_content("after", measurements=(ordinary,), environment=environment)
    comparison = compare_reports(two(quiet, other))
    assert comparison.latency == ()
    assert len(comparison.unmatched) == 2 * len(ordinary.series)
    assert sum(one.endswith(" ordinary") for one in comparison.unmatched) == len(ordinary.series)
    (row,) = (one for one in comparison.environment if one.differs)
    assert (row.label, row.texts) == ("conditions", ("quiet", "ordinary"))
    again = compare_reports(two(other, other))
    assert {row.label for row in again.latency} >= {"host/loopback tcp-rr ordinary"}
    trend = build_trend([TrendReport(str(number), one.figures) for number, one in enumerate(two(quiet, other))])
    labels = [line.label for chart in trend.charts for line in chart.drawing.lines]
    assert len(labels) == len(set(labels))
    assert trend.entries[1].environment == ("conditions: quiet → ordinary",)


def test_a_report_does_not_differ_from_itself() -> None:
    comparison = compare_reports(two(CONTENTS[0], CONTENTS[0]))
    assert {change.verdict for row in comparison.latency for change in row.changes} <= {"same", "inconclusive"}
    assert comparison.changes == ()
    assert not any(row.differs for row in comparison.environment)


@pytest.mark.parametrize("model", ["Xeon", ""])
def test_every_verdict_has_a_caveat_if_the_processors_may_differ(model: str) -> None:
    comparison = compare_reports(two(CONTENTS[0], with_environment(CONTENTS[1], cpu_model=model)))
    assert any("processors" in text for text in comparison.caveats)
    for row in comparison.latency:
        for change in row.changes:
            assert "processors" in change.caveat
    clean = compare_reports(two(*CONTENTS))
    assert not any(change.caveat for row in clean.latency for change in row.changes)


def test_a_difference_has_the_facts_that_could_explain_it() -> None:
    comparison = compare_reports(two(CONTENTS[0], with_environment(CONTENTS[1], kernel="7.0", userland_proxy=False)))
    suspects = {row.label: row.changes[0].suspects for row in comparison.latency}
    assert suspects["host/loopback tcp-rr"] == ("kernel",)
    assert suspects["bridge/published-proxy tcp-rr"] == ("kernel", "docker-proxy")


def test_series_with_different_options_are_not_compared() -> None:
    other = make_content("after", measurements=(make_run(MODES, options=Options(payload_bytes=1024)),))
    comparison = compare_reports(two(CONTENTS[0], other))
    assert comparison.latency == ()
    assert comparison.charts == ()
    assert any("1024B" in text for text in comparison.unmatched)
    assert any("64B" in text for text in comparison.unmatched)
    assert DRIFT_SENTENCE not in comparison.caveats


def claim(verdict: ClaimVerdict, identity: str = "dns") -> ClaimResult:
    return ClaimResult(identity, "It holds.", "FACTS", verdict)


def test_flipped_claims_come_first() -> None:
    before = make_content(measurements=(), claims=(claim(ClaimVerdict.HOLDS, "a"), claim(ClaimVerdict.HOLDS)))
    after = make_content(measurements=(), claims=(claim(ClaimVerdict.DIFFERS), claim(ClaimVerdict.HOLDS, "new")))
    comparison = compare_reports(two(before, after))
    assert [(row.id, row.flipped) for row in comparison.claims] == [("dns", True), ("a", False), ("new", False)]
    assert comparison.claims[0].verdicts == ("holds", "differs")
    assert comparison.claims[1].verdicts == ("holds", "not run")


def test_a_claim_that_states_something_else_about_the_other_engine_has_changed() -> None:
    """Both reports confirm it: on the one engine that names resolve, on the other that they do not."""
    refused = ClaimResult(
        "dns", "No name resolves.", "FACTS", ClaimVerdict.HOLDS, condition="with Podman", engine="Podman 5.4.2"
    )
    contents = [
        make_content(measurements=(), claims=claims) for claims in ((claim(ClaimVerdict.HOLDS),), (refused,), ())
    ]
    (row,) = compare_reports(tuple(map(compared, contents))).claims
    assert (row.verdicts, row.flipped) == (("holds", "holds", "not run"), True)
    assert row.statements == ("It holds.", "No name resolves. This applies with Podman.", "")
    conditional = replace(claim(ClaimVerdict.HOLDS), condition="with Podman")
    (row,) = compare_reports(two(contents[0], make_content(measurements=(), claims=(conditional,)))).claims
    assert (row.flipped, row.statements) == (False, ()), "reports of earlier versions have no condition"


def test_two_to_eight_reports_can_be_compared() -> None:
    one = compared(make_content(measurements=()))
    assert len(compare_reports([one] * 8).reports) == 8
    for number in (0, 1, 9):
        with pytest.raises(ValueError, match="cannot be compared"):
            compare_reports([one] * number)


def test_a_report_without_an_experiment_is_compared_by_its_latency() -> None:
    one, other = two(*CONTENTS)
    comparison = compare_reports((one, replace(other, view=replace(other.view, snapshot=None))))
    assert (comparison.arms, comparison.changes) == ((), ())
    assert comparison.latency


ODD = (-1e308, -1.0, 0.0, 1e-300, 20.0, 1e308)


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=[pytest.mark.slow] * (seed > 3)) for seed in range(12)])
def test_forged_figures_break_no_page(seed: int) -> None:
    """An imported report can have any figures in its blocks, intervals and times."""
    source = random.Random(seed)

    def odd() -> float:
        return source.choice(ODD)

    blocks = tuple(replace(one, center_us=odd(), p99_us=odd(), n=source.choice((0, 1, 10**15))) for one in AFTER.blocks)
    measurement = AFTER.measurement
    comparisons = tuple(replace(one, delta_us=odd(), ci95_us=(odd(), odd())) for one in measurement.comparisons)
    environment = replace(measurement.environment, load_before=(odd(), odd(), odd()), cores=source.choice((-1, 0, 4)))
    run = replace(
        AFTER, blocks=blocks, measurement=replace(measurement, comparisons=comparisons, environment=environment)
    )
    content = make_content("odd", measurements=(run,), environment=environment)
    compare_reports(two(CONTENTS[0], content))
    compare_reports(two(content, content))
    figures = decode_figures(canonical(replace(content, saved_at=odd())))
    build_trend([TrendReport("odd", figures), TrendReport("one", decode_figures(canonical(CONTENTS[0])))])
    interval_chart(run.measurement, Probe.TCP_RR)


def described(**fields: Any) -> str:
    defaults: dict[str, Any] = {"verdict": Slower(2.0), "blocks": (12, 12)}
    return describe_between(Between(**(defaults | fields)))


def test_a_difference_is_described_with_its_interval_or_by_its_reason() -> None:
    interval = Interval(1.0, 3.0)
    assert described(delta_us=2.0, ci95_us=interval) == "+2.00 µs, 95 % interval [+1.00, +3.00]"
    undecided = Inconclusive("too few")
    assert described(verdict=undecided) == "too few"
    assert described(verdict=undecided, delta_us=2.0) == "too few"
    assert described(verdict=undecided, delta_us=2.0, ci95_us=interval) == (
        "+2.00 µs, 95 % interval [+1.00, +3.00]: too few"
    )


def test_a_series_with_few_blocks_is_in_the_table_and_not_in_the_chart() -> None:
    short = make_content("after", measurements=(make_run(MODES, seed=2, count=5),))
    comparison = compare_reports(two(CONTENTS[0], short))
    assert comparison.latency
    assert comparison.charts == ()
    mixed = compare_reports([compared(CONTENTS[0]), compared(short), compared(CONTENTS[1])])
    (chart,) = mixed.charts
    assert "C to A" in chart.title
    assert len(chart.rows) == len(mixed.latency)
    (lines,) = {len(line) for line in chart.table.body}
    assert lines == 9
    assert [line[2] for line in chart.table.body] == [micros(row.medians[2]) for row in mixed.latency]


def test_a_series_that_only_one_report_has_is_unmatched() -> None:
    alone = make_content("host alone", measurements=(make_run(("host",), seed=3),))
    for order in ((CONTENTS[0], alone), (alone, CONTENTS[0])):
        comparison = compare_reports(two(*order))
        assert {row.label for row in comparison.latency} == {"host/loopback tcp-rr", "host/loopback-ipv6 tcp-rr"}
        assert comparison.unmatched
        assert all(text.startswith("bridge, ") for text in comparison.unmatched)
    three = compare_reports([compared(one) for one in (CONTENTS[0], alone, CONTENTS[1])])
    row = next(row for row in three.latency if row.label.startswith("bridge/"))
    assert [change.letter for change in row.changes] == ["C"]
    assert (row.medians[0] is None, row.medians[1] is None, row.medians[2] is None) == (False, True, False)


def test_a_claim_that_was_not_executed_everywhere_is_not_flipped() -> None:
    contents = [make_content(measurements=(), claims=(claim(ClaimVerdict.HOLDS),) * number) for number in (1, 0, 1)]
    (row,) = compare_reports([compared(one) for one in contents]).claims
    assert (row.verdicts, row.flipped, row.compared) == (("holds", "not run", "holds"), False, True)


def test_a_claim_that_one_report_only_has_tested_is_not_compared() -> None:
    before, after = (make_content(measurements=(), claims=(claim(ClaimVerdict.HOLDS, key),)) for key in ("a", "b"))
    assert [row.compared for row in compare_reports(two(before, after)).claims] == [False, False]


def test_facts_that_could_explain_a_difference_belong_to_one_that_was_decided() -> None:
    other = with_environment(CONTENTS[0], kernel="7.0")
    for row in compare_reports(two(CONTENTS[0], other)).latency:
        assert row.changes[0].suspects == ()
