"""Reports beside each other: differences in time with intervals, flipped claims, caveats that are never left out."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache

import pytest

from dashboard.core.measurements.between_runs import DRIFT_SENTENCE
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.reports.charts import interval_chart
from dashboard.core.reports.compare import Compared, compare_reports
from dashboard.core.reports.figures import decode_light
from dashboard.core.reports.model import ClaimResult, ClaimVerdict, ReportContent, canonical
from dashboard.core.reports.trend import Kept, build_trend
from dashboard.core.reports.view import ReportView, build_view
from tests.core.report_builders import make_content, make_run, with_environment

MODES = ("host", "bridge")
BEFORE = make_run(MODES, seed=1)
AFTER = make_run(MODES, seed=2, shift_us=3.0)


@cache
def base_view() -> ReportView:
    return build_view(make_content(measurements=()))


def compared(content: ReportContent) -> Compared:
    """As the page makes it; the view's drawings are not needed."""
    view = replace(base_view(), title=content.title, claims=content.claims, modes={"host": "host", "bridge": "bridge"})
    return Compared(view, decode_light(canonical(content)))


def two(before: ReportContent, after: ReportContent) -> tuple[Compared, Compared]:
    return compared(before), compared(after)


CONTENTS = make_content("before", measurements=(BEFORE,)), make_content("after", measurements=(AFTER,))


def test_a_slower_run_is_found_on_every_path_with_its_interval() -> None:
    found = compare_reports(two(*CONTENTS))
    assert [one.letter for one in found.reports] == ["A", "B"]
    assert {row.label for row in found.latency} >= {"host/loopback tcp-rr", "bridge/published-proxy tcp-rr"}
    for row in found.latency:
        (later,) = row.later
        assert later.verdict == "slower"
        assert later.found.ci95_us is not None
        assert pytest.approx(later.found.delta_us, abs=0.5) == 3.0
        assert "95 % interval [+" in later.said
    (chart,) = found.charts
    assert [row.mode for row in chart.rows].count("host") >= 1
    assert len(chart.table.body) == len(found.latency)
    assert all(len(line) == len(chart.table.head) for line in chart.table.body)
    assert DRIFT_SENTENCE in found.caveats
    assert found.unmatched == ()


def test_the_same_run_is_the_same() -> None:
    found = compare_reports(two(CONTENTS[0], CONTENTS[0]))
    assert {later.verdict for row in found.latency for later in row.later} <= {"same", "inconclusive"}
    assert found.changes == ()
    assert not any(row.differs for row in found.environment)


@pytest.mark.parametrize("model", ["Xeon", ""])
def test_no_verdict_stands_without_its_caveat_where_the_processors_may_differ(model: str) -> None:
    found = compare_reports(two(CONTENTS[0], with_environment(CONTENTS[1], cpu_model=model)))
    assert any("processors" in text for text in found.caveats)
    for row in found.latency:
        for later in row.later:
            assert "processors" in later.caveat
    clean = compare_reports(two(*CONTENTS))
    assert not any(later.caveat for row in clean.latency for later in row.later)


def test_what_could_explain_a_difference_stands_with_it() -> None:
    found = compare_reports(two(CONTENTS[0], with_environment(CONTENTS[1], kernel="7.0", userland_proxy=False)))
    suspects = {row.label: row.later[0].suspects for row in found.latency}
    assert suspects["host/loopback tcp-rr"] == ("kernel",)
    assert suspects["bridge/published-proxy tcp-rr"] == ("kernel", "docker-proxy")


def test_series_that_were_not_measured_alike_are_not_compared() -> None:
    other = make_content("after", measurements=(make_run(MODES, options=Options(payload_bytes=1024)),))
    found = compare_reports(two(CONTENTS[0], other))
    assert found.latency == ()
    assert found.charts == ()
    assert any("1024B" in text for text in found.unmatched)
    assert any("64B" in text for text in found.unmatched)
    assert DRIFT_SENTENCE not in found.caveats


def claim(verdict: ClaimVerdict, identity: str = "dns") -> ClaimResult:
    return ClaimResult(identity, "It holds.", "FACTS", verdict)


def test_flipped_claims_come_first() -> None:
    before = make_content(measurements=(), claims=(claim(ClaimVerdict.HOLDS, "a"), claim(ClaimVerdict.HOLDS)))
    after = make_content(measurements=(), claims=(claim(ClaimVerdict.DIFFERS), claim(ClaimVerdict.HOLDS, "new")))
    found = compare_reports(two(before, after))
    assert [(row.id, row.flipped) for row in found.claims] == [("dns", True), ("a", False), ("new", False)]
    assert found.claims[0].verdicts == ("holds", "differs")
    assert found.claims[1].verdicts == ("holds", "not executed")


def test_eight_reports_at_most_and_two_at_least() -> None:
    one = compared(make_content(measurements=()))
    assert len(compare_reports([one] * 8).reports) == 8
    for number in (0, 1, 9):
        with pytest.raises(ValueError, match="cannot be compared"):
            compare_reports([one] * number)


def test_a_report_without_an_experiment_is_compared_by_its_times() -> None:
    one, other = two(*CONTENTS)
    found = compare_reports((one, replace(other, view=replace(other.view, snapshot=None))))
    assert (found.arms, found.changes) == ((), ())
    assert found.latency


ODD = (-1e308, -1.0, 0.0, 1e-300, 20.0, 1e308)


@pytest.mark.parametrize("seed", range(12))
def test_figures_that_nobody_measured_break_no_page(seed: int) -> None:
    """A report may come from anybody: its blocks, its intervals and its times say what they like."""
    source = random.Random(seed)

    def odd() -> float:
        return source.choice(ODD)

    blocks = tuple(replace(one, center_us=odd(), p99_us=odd(), n=source.choice((0, 1, 10**15))) for one in AFTER.blocks)
    found = AFTER.measurement
    comparisons = tuple(replace(one, delta_us=odd(), ci95_us=(odd(), odd())) for one in found.comparisons)
    environment = replace(found.environment, load_before=(odd(), odd(), odd()), cores=source.choice((-1, 0, 4)))
    run = replace(AFTER, blocks=blocks, measurement=replace(found, comparisons=comparisons, environment=environment))
    content = make_content("odd", measurements=(run,), environment=environment)
    compare_reports(two(CONTENTS[0], content))
    compare_reports(two(content, content))
    light = decode_light(canonical(replace(content, saved_at=odd())))
    build_trend([Kept("odd", light), Kept("one", decode_light(canonical(CONTENTS[0])))])
    interval_chart(run.measurement, Probe.TCP_RR)
