"""Plans, results and the text of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.claims.catalogue import all_claims, find_claim
from dashboard.core.claims.model import Need, Topic, by_topic, differs, holds, not_testable
from dashboard.core.claims.run import (
    ClaimsRun,
    ExecutedClaim,
    Plan,
    VerdictCount,
    choose,
    count_verdicts,
    exclusive_ports,
    make_plan,
    run_text,
)
from dashboard.core.experiments.docker_run import parse_run
from dashboard.core.reports.model import ClaimVerdict

ALL = all_claims()


def test_a_plan_has_every_claim_once_and_those_that_need_ports_or_files_on_private_hosts() -> None:
    plan = make_plan(ALL)
    groups = (plan.harmless, plan.shared, plan.alone, plan.quiet)
    assert sorted(one.id for group in groups for one in group) == sorted(one.id for one in ALL)
    assert all(groups)
    assert make_plan(plan.harmless).harmless == plan.harmless
    assert all(not one.needs - {Need.IPV6} for one in plan.harmless)
    assert all(Need.ALONE in one.needs for one in plan.alone)
    assert {exclusive_ports(one) for one in plan.shared} == {(), (80,)}


def test_claims_about_ranges_run_at_the_same_time_because_each_publishes_ports_of_its_own() -> None:
    """One after the other they take longer than a person waits."""
    claims = [find_claim(f"range-{name}") for name in ("processes", "memory", "rules", "host-mode", "time")]
    plan = make_plan(claims)
    assert (plan.shared, plan.quiet) == (tuple(claims[:-1]), (claims[-1],))
    ports = [
        binding["HostPort"]
        for claim in claims
        for line in claim.lines
        if line.startswith("docker run")
        for bindings in parse_run(line).config["HostConfig"]["PortBindings"].values()
        for binding in bindings
    ]
    assert len(ports) == len(set(ports)) == 10 + 5 + 10 + 20 + 2 * 21


def test_claims_are_chosen_by_id_in_catalogue_order() -> None:
    assert choose(ALL, []) == ALL
    assert [one.id for one in choose(ALL, [ALL[3].id, ALL[1].id])] == [ALL[1].id, ALL[3].id]
    with pytest.raises(ValueError, match=r"no claim nonsense: choose from .*host-shares-netns"):
        choose(ALL, ["nonsense"])
    assert next(iter(by_topic(tuple(reversed(ALL))))) is Topic.ISOLATION


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (VerdictCount(), "0 confirmed"),
        (VerdictCount(1), "1 confirmed"),
        (VerdictCount(2, 1), "2 confirmed, 1 differs"),
        (VerdictCount(79, 2, 3), "79 confirmed, 2 differ, 3 not testable here"),
    ],
)
def test_counts_become_a_sentence(found: VerdictCount, sentence: str) -> None:
    assert found.sentence == sentence
    verdicts = [ClaimVerdict.HOLDS] * found.holds + [ClaimVerdict.DIFFERS] * found.differs
    assert count_verdicts(verdicts + [ClaimVerdict.NOT_TESTABLE] * found.not_testable) == found


def test_the_text_of_a_run_has_each_statement_with_reasons_and_the_evidence_of_claims_that_differ() -> None:
    one, two, three = (next(claim for claim in ALL if claim.topic is topic) for topic in list(Topic)[:3])
    run = ClaimsRun(
        (
            ExecutedClaim.from_judgement(one, holds("seen: this"), engine="Docker Engine 26", seconds=1.23456),
            ExecutedClaim.from_judgement(two, not_testable("It is too busy here.")),
            ExecutedClaim.from_judgement(
                three, differs("It differs.", "seen:\x1b[2J that"), left=["container nm-1: no"]
            ),
        ),
        4.2,
        ("Docker Engine 26",),
    )
    text = run_text(run)
    assert f"✓ confirmed    {one.id}: {one.statement}" in text
    assert "It is too busy here." in text
    assert "seen: this" not in text
    assert "seen:�[2J that" in text
    assert "1 confirmed, 1 differs, 1 not testable here, in 4.2 s." in text
    assert "Left over: container nm-1: no" in text
    assert run.left == ("container nm-1: no",)
    everything = run_text(run, everything=True)
    assert "seen: this" in everything
    assert "on Docker Engine 26, 1.2 s; source: " in everything
    assert run.results[0].result.id == one.id
    assert run.results[0].lines == one.shown_lines


@pytest.mark.parametrize(
    ("need", "group"),
    [
        (Need.PRIVATE, "shared"),
        (Need.PORT_80, "shared"),
        (Need.OWN_HOST, "shared"),
        (Need.ALONE, "alone"),
        (Need.MEASURE, "quiet"),
        (Need.IPV6, "harmless"),
    ],
)
def test_a_need_decides_where_a_claim_runs(need: Need, group: str) -> None:
    claim = replace(ALL[0], needs=frozenset({need}))
    assert make_plan([claim]) == Plan(**{group: (claim,)})


def test_claims_follow_their_topic_and_empty_topics_are_omitted() -> None:
    first, second = (next(claim for claim in ALL if claim.topic is topic) for topic in list(Topic)[1:3])
    results = tuple(ExecutedClaim.from_judgement(claim, holds("seen")) for claim in (second, first))
    lines = run_text(ClaimsRun(results, 1.0, ())).splitlines()
    assert lines[0] == str(first.topic)
    assert first.id in lines[1]
    assert lines[2:4] == ["", str(second.topic)]
    assert second.id in lines[4]
    assert len([line for line in lines if line in {str(topic) for topic in Topic}]) == 2


def test_an_executed_claim_has_its_engine_and_duration() -> None:
    done = ExecutedClaim.from_judgement(ALL[0], not_testable("Busy."), engine="26", seconds=1.23456, left=["a", "b"])
    assert (done.engine, done.seconds, done.left, done.reason) == ("26", 1.235, ("a", "b"), "Busy.")
    assert run_text(ClaimsRun((done,), 0.04, ("26", "27"))).splitlines()[-5:] == [
        "0 confirmed, 1 not testable here, in 0.0 s.",
        "On 26.",
        "On 27.",
        "Left over: a",
        "Left over: b",
    ]


def test_a_statement_about_certain_engines_tells_which() -> None:
    claim = replace(ALL[0], condition="before Engine 25.0")
    done = ExecutedClaim.from_judgement(claim, holds("seen"))
    assert done.condition == "before Engine 25.0"
    assert "                 This applies before Engine 25.0." in run_text(ClaimsRun((done,))).splitlines()
