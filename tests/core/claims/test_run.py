"""Plans, outcomes and how a run is said."""

from __future__ import annotations

import pytest

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.model import Need, Topic, differs, holds, not_testable
from dashboard.core.claims.run import (
    ClaimsRun,
    Count,
    Plan,
    choose,
    count,
    executed,
    in_order,
    make_plan,
    ports_of,
    run_text,
)
from dashboard.core.reports.model import ClaimVerdict

ALL = all_claims()


def test_a_plan_has_every_claim_once_and_what_takes_ports_or_files_on_private_hosts() -> None:
    plan = make_plan(ALL)
    groups = (plan.harmless, plan.shared, plan.alone, plan.quiet)
    assert sorted(one.id for group in groups for one in group) == sorted(one.id for one in ALL)
    assert all(groups)
    assert plan.needs_private
    assert not make_plan(plan.harmless).needs_private
    assert all(not one.needs - {Need.IPV6, Need.MACVLAN} for one in plan.harmless)
    assert all(Need.ALONE in one.needs for one in plan.alone)
    assert {ports_of(one) for one in plan.shared} == {(), (80,)}


def test_claims_are_chosen_by_name_in_their_own_order() -> None:
    assert choose(ALL, []) == ALL
    assert [one.id for one in choose(ALL, [ALL[3].id, ALL[1].id])] == [ALL[1].id, ALL[3].id]
    with pytest.raises(ValueError, match=r"no claim nonsense: choose among .*host-shares-netns"):
        choose(ALL, ["nonsense"])
    assert in_order(tuple(reversed(ALL)))[0].topic is Topic.ISOLATION


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (Count(), "0 hold"),
        (Count(1), "1 holds"),
        (Count(2, 1), "2 hold, 1 differs"),
        (Count(79, 2, 3), "79 hold, 2 differ, 3 cannot be tested here"),
    ],
)
def test_counts_are_said_in_a_sentence(found: Count, sentence: str) -> None:
    assert found.sentence == sentence
    verdicts = [ClaimVerdict.HOLDS] * found.holds + [ClaimVerdict.DIFFERS] * found.differs
    assert count(verdicts + [ClaimVerdict.NOT_TESTABLE] * found.not_testable) == found


def test_a_run_is_said_by_statement_with_reasons_and_the_evidence_of_what_differs() -> None:
    one, two, three = (next(claim for claim in ALL if claim.topic is topic) for topic in list(Topic)[:3])
    run = ClaimsRun(
        (
            executed(one, holds("seen: this"), engine="Docker Engine 26", seconds=1.23456),
            executed(two, not_testable("It is too busy here.")),
            executed(three, differs("It did otherwise.", "seen:\x1b[2J that"), left=["container nm-1: no"]),
        ),
        4.2,
        ("Docker Engine 26",),
    )
    text = run_text(run)
    assert f"✓ holds        {one.id}: {one.statement}" in text
    assert "It is too busy here." in text
    assert "seen: this" not in text
    assert "seen:�[2J that" in text
    assert "1 holds, 1 differs, 1 cannot be tested here, in 4.2 s." in text
    assert "Left over: container nm-1: no" in text
    assert run.left == ("container nm-1: no",)
    everything = run_text(run, everything=True)
    assert "seen: this" in everything
    assert "on Docker Engine 26, 1.2 s; source: " in everything
    assert run.results[0].result.id == one.id
    assert run.results[0].lines == one.shown_lines


def test_a_plan_needs_a_private_host_for_any_claim_that_is_not_harmless() -> None:
    claim = ALL[0]
    assert not Plan(harmless=(claim,)).needs_private
    assert Plan(shared=(claim,)).needs_private
    assert Plan(alone=(claim,)).needs_private
    assert Plan(quiet=(claim,)).needs_private


def test_a_claim_stands_below_its_topic_and_topics_without_one_are_left_out() -> None:
    first, second = (next(claim for claim in ALL if claim.topic is topic) for topic in list(Topic)[1:3])
    results = tuple(executed(claim, holds("seen")) for claim in (second, first))
    lines = run_text(ClaimsRun(results, 1.0, ())).splitlines()
    assert lines[0] == str(first.topic)
    assert first.id in lines[1]
    assert lines[2:4] == ["", str(second.topic)]
    assert second.id in lines[4]
    assert len([line for line in lines if line in {str(topic) for topic in Topic}]) == 2


def test_what_was_executed_keeps_where_and_how_long() -> None:
    done = executed(ALL[0], not_testable("Busy."), engine="26", seconds=1.23456, left=["a", "b"])
    assert (done.engine, done.seconds, done.left, done.reason) == ("26", 1.235, ("a", "b"), "Busy.")
    assert run_text(ClaimsRun((done,), 0.04, ("26", "27"))).splitlines()[-5:] == [
        "0 hold, 1 cannot be tested here, in 0.0 s.",
        "On 26.",
        "On 27.",
        "Left over: a",
        "Left over: b",
    ]
