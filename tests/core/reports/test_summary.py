"""dashboard.core.reports.summary."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.experiments.messages import ArmStatus, ReportedEngine
from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.headline import write_headline
from dashboard.core.measurements.measurement import (
    ComparisonResult,
    Environment,
    Measurement,
    Options,
    Probe,
    SeriesResult,
)
from dashboard.core.reports.model import ClaimResult, ClaimVerdict, FrozenRun, Origin, ReportContent
from dashboard.core.reports.summary import (
    MAX_WARNINGS,
    claim_warnings,
    column_warnings,
    describe_comparison,
    describe_verdict,
    environment_warnings,
    list_headlines,
    list_verdicts,
    list_warnings,
    run_warnings,
    summarise,
)
from dashboard.core.reports.view import build_snapshot
from tests.core.builders import make_column
from tests.core.machine_scenes import SERVER, two_machines
from tests.core.report_builders import make_content, make_experiment, make_run
from tests.support.reports import with_scene

MINUS = "\N{MINUS SIGN}"
CLAIM = ClaimResult("dns", "Names resolve.", "FACTS", ClaimVerdict.HOLDS)


def make_comparison(**more: Any) -> ComparisonResult:
    fields: dict[str, Any] = {
        "baseline": "host/loopback",
        "other": "bridge/published-proxy",
        "probe": Probe.TCP_RR,
        "delta_us": 26.14,
        "ci95_us": (25.4, 26.9),
        "verdict": "slower",
        "reason": "slower by 26.14 µs: the interval lies above zero",
        "rounds": 60,
    }
    return ComparisonResult(**(fields | more))


def make_bare_run(*comparisons: ComparisonResult, **more: Any) -> FrozenRun:
    measurement = Measurement(Environment(), more.pop("series", ()), comparisons, **more)
    return FrozenRun("r1", "nginx", measurement, (), ())


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (
            make_comparison(),
            (
                "bridge/published-proxy is slower than host/loopback by 26.1 µs at the median "
                "(95 % interval +25.4 to +26.9 µs; tcp-rr, 60 paired blocks)."
            ),
        ),
        (
            make_comparison(delta_us=-3.0, ci95_us=(-3.5, -2.5), verdict="faster", cause="it skips the bridge"),
            (
                "bridge/published-proxy is faster than host/loopback by 3.00 µs at the median "
                f"(95 % interval {MINUS}3.50 to {MINUS}2.50 µs; tcp-rr, 60 paired blocks). "
                "Reason: it skips the bridge."
            ),
        ),
        (
            make_comparison(delta_us=0.04, ci95_us=(-0.1, 0.181), verdict="same", within_us=0.181),
            (
                "bridge/published-proxy does not differ from host/loopback by more than 0.19 µs "
                f"(95 % interval {MINUS}0.10 to +0.18 µs; tcp-rr, 60 paired blocks)."
            ),
        ),
        (
            make_comparison(ci95_us=(-1.0, 2.0), verdict="inconclusive", reason="it spans zero", rounds=1),
            (
                "bridge/published-proxy against host/loopback is inconclusive "
                f"(95 % interval {MINUS}1.00 to +2.00 µs; tcp-rr, 1 paired block): it spans zero."
            ),
        ),
        (
            make_comparison(ci95_us=None, verdict="inconclusive", reason="only 3 paired blocks", rounds=3),
            (
                "bridge/published-proxy against host/loopback is inconclusive (tcp-rr, 3 paired blocks): "
                "only 3 paired blocks."
            ),
        ),
    ],
)
def test_a_verdict_never_comes_without_its_interval(one: ComparisonResult, expected: str) -> None:
    assert describe_verdict(make_bare_run(one), one) == expected


def test_every_comparison_of_every_run_has_a_verdict() -> None:
    run = make_run()
    found = list_verdicts((run, replace(run, id="r2")))
    expected = {(name, one.other) for name in ("r1", "r2") for one in run.measurement.comparisons}
    assert len(found) == len(expected)
    assert {(one.run, one.other) for one in found} == expected


def test_sentences_name_ordinary_conditions() -> None:
    quiet = make_run(("host", "bridge"))
    ordinary = make_run(("host", "bridge"), options=Options(conditions=Conditions.ORDINARY))
    headlines = list_headlines((quiet, ordinary))
    assert headlines == (headlines[0], f"{headlines[0]} Measured in ordinary conditions.")
    assert all(", ordinary conditions)" in one.sentence for one in list_verdicts((ordinary,)))
    assert not any("conditions" in one.sentence for one in list_verdicts((quiet,)))


def test_inconclusive_verdicts_come_last() -> None:
    run = make_run()
    first, *others = run.measurement.comparisons
    comparisons = (replace(first, verdict="inconclusive", reason="too few blocks"), *others)
    found = list_verdicts((replace(run, measurement=replace(run.measurement, comparisons=comparisons)),))
    assert [one.other for one in found] == [*(one.other for one in others), first.other]


def test_headlines_are_those_that_prove_something_each_once() -> None:
    run = make_run()
    headline = write_headline(run.measurement)
    assert headline.decided
    undecided = replace(run, measurement=replace(run.measurement, comparisons=()))
    assert list_headlines((undecided, run, replace(run, id="r2"))) == (headline.sentence,)
    assert list_headlines((undecided,)) == ()


def test_the_first_sentence_names_the_engine_and_kernel_of_each_machine() -> None:
    """The environment is that of the newest measurement, which ran on one of them."""
    podman = ReportedEngine("5.4.2", EngineKind.PODMAN, kernel="6.1.0")
    columns, states = two_machines(facts=(SERVER, podman))
    content = with_scene(columns, states, measurements=(make_run(("host",)),))
    assert describe_comparison(content, columns).endswith(
        ", on server (Docker Engine 28.5.2 and kernel 6.12.0) and lab2 (Podman 5.4.2 and kernel 6.1.0)."
    )
    columns, _states = two_machines(facts=(SERVER, None))
    assert describe_comparison(content, columns).endswith(" (Docker Engine 28.5.2 and kernel 6.12.0) and lab2.")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (Environment(), []),
        (Environment(governor="performance", virtualisation="none", cores=4, load_before=(1.9, 3, 3)), []),
        (Environment(governor="powersave"), ["powersave"]),
        (Environment(virtualisation="virtual machine (QEMU)"), ["virtual machine (QEMU)"]),
        (Environment(cores=4, load_before=(2.1, 0, 0)), ["load of 2.1 on 4 cores"]),
        (Environment(cores=0, load_before=(2.1, 0, 0)), []),
    ],
)
def test_properties_that_make_times_less_reliable_are_warnings(environment: Environment, expected: list[str]) -> None:
    found = environment_warnings(environment)
    assert len(found) == len(expected)
    assert all(word in text for word, text in zip(expected, found, strict=True))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, []),
        (
            {"warnings": ("Published ports are discarded",)},
            ["bridge: warning of the Engine: Published ports are discarded."],
        ),
        ({"status": ArmStatus.REFUSED, "error": "no swarm."}, ["bridge could not be launched: no swarm."]),
        ({"status": ArmStatus.EXITED, "exit_code": 1}, ["bridge: the program exited with code 1."]),
        ({"status": ArmStatus.EXITED}, ["bridge: the program exited."]),
        ({"status": ArmStatus.LOST}, ["bridge: the container was removed outside Netmodes."]),
    ],
)
def test_a_container_that_did_not_run_or_has_warnings_is_a_warning(more: dict[str, Any], expected: list[str]) -> None:
    assert column_warnings([make_column("bridge", **more)]) == expected


def test_arms_that_were_refused_for_one_reason_are_one_warning() -> None:
    columns = [
        make_column(key, status=ArmStatus.REFUSED, error=error)
        for key, error in (("host", "No registry answers."), ("none", "no swarm."), ("bridge", "No registry answers."))
    ]
    assert column_warnings(columns) == [
        "host and bridge could not be launched: No registry answers.",
        "none could not be launched: no swarm.",
    ]


def test_failed_blocks_and_incomplete_runs_are_warnings() -> None:
    one = SeriesResult("bridge", "loopback", Probe.TCP_RR, 9, *(1.0,) * 6, blocks=5, failed_blocks=2, errors=("gone",))
    dead = SeriesResult("none", "loopback", Probe.TCP_RR, 0, *(None,) * 6, errors=("refused",))
    found = Measurement(Environment(), (one, dead), (), complete=False, stop_reason="Somebody ended it")
    assert run_warnings("nginx", found) == [
        "The measurement “nginx” is incomplete: Somebody ended it.",
        "2 of 5 blocks of 127.0.0.1 → host, bridge (tcp-rr) failed: gone.",
        "127.0.0.1 → host, none (tcp-rr): refused.",
    ]


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (ClaimVerdict.HOLDS, []),
        (ClaimVerdict.DIFFERS, ["The claim “Names resolve.” is not confirmed here: why."]),
        (ClaimVerdict.NOT_TESTABLE, ["The claim “Names resolve.” could not be tested: why."]),
    ],
)
def test_claims_that_were_not_confirmed_are_warnings(verdict: ClaimVerdict, expected: list[str]) -> None:
    assert claim_warnings([replace(CLAIM, verdict=verdict, reason="why")]) == expected


def test_warnings_appear_once_and_their_number_is_bounded() -> None:
    run = make_bare_run(
        series=tuple(SeriesResult(f"c{n}", "p", Probe.TCP_RR, 0, *(None,) * 6, errors=("e",)) for n in range(90))
    )
    content = ReportContent("t", 1.0, Origin.MEASUREMENT, measurements=(run, run))
    found = list_warnings(content, ())
    assert len(found) == MAX_WARNINGS + 1
    assert found[-1].startswith("50 more")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (ReportContent("t", 1.0, Origin.CLAIMS), "Nothing was compared."),
        (ReportContent("t", 1.0, Origin.CLAIMS, claims=(CLAIM,)), "1 tested claim."),
        (
            ReportContent("t", 1.0, Origin.EXPERIMENT, experiment=make_experiment(("host", "bridge"))),
            (
                "nginx (port 80) side by side in the network modes host and bridge, "
                "on Docker Engine 26.1.5, kernel 6.18.1."
            ),
        ),
        (
            make_content(),
            (
                "nginx (port 80) side by side in the network modes host, bridge and none; "
                "latency of 6 paths (tcp-rr), on Docker Engine 26.1.5, kernel 6.18.1."
            ),
        ),
    ],
)
def test_one_sentence_describes_what_was_compared(content: ReportContent, expected: str) -> None:
    assert describe_comparison(content) == expected


def test_the_summary_of_a_whole_report_has_all_parts() -> None:
    content = make_content()
    assert content.experiment is not None
    found = summarise(content, *build_snapshot(content.experiment))
    assert len(found.differences) == 5
    assert len(found.verdicts) == len(content.measurements[0].measurement.comparisons)
    assert any("The Engine discarded" in one.sentence for one in found.differences)
    assert any("virtual (kvm)" in one for one in found.warnings)


@pytest.mark.parametrize(("more", "last"), [(0, f"p, c{MAX_WARNINGS - 1} "), (1, "1 more ")])
def test_as_many_warnings_as_are_allowed_are_all_listed(more: int, last: str) -> None:
    series = tuple(
        SeriesResult(f"c{n}", "p", Probe.TCP_RR, 0, *(None,) * 6, errors=("e",)) for n in range(MAX_WARNINGS + more)
    )
    content = ReportContent("t", 1.0, Origin.MEASUREMENT, measurements=(make_bare_run(series=series),))
    warnings = list_warnings(content, ())
    assert len(warnings) == MAX_WARNINGS + more
    assert warnings[-1].startswith(last)


@pytest.mark.parametrize(("value", "text"), [(0.004, "0.00"), (0.06, "+0.06"), (-0.06, f"{MINUS}0.06")])
def test_ends_of_an_interval_have_signs_unless_they_round_to_nothing(value: float, text: str) -> None:
    run = make_bare_run(make_comparison(ci95_us=(value, 9.0)))
    assert f"95 % interval {text} to +9.00 µs" in describe_verdict(run, run.measurement.comparisons[0])


def test_a_verdict_of_no_difference_without_a_margin_states_the_larger_end() -> None:
    run = make_bare_run(make_comparison(verdict="same", ci95_us=(-0.3, 0.1), within_us=None))
    assert "0.30 µs" in describe_verdict(run, run.measurement.comparisons[0]).partition("(")[0]
    for missing in ({"delta_us": None}, {"ci95_us": None}):
        run = make_bare_run(make_comparison(**missing))
        assert "interval (" not in describe_verdict(run, run.measurement.comparisons[0])
        assert "inconclusive" in describe_verdict(run, run.measurement.comparisons[0])
