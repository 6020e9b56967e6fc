"""Runs of claims in the database."""

from __future__ import annotations

import pytest

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.model import differs, holds
from dashboard.core.claims.run import Count, Step, executed
from dashboard.models import ClaimRun
from dashboard.store import claim_runs
from dashboard.store.reports import reading as report_reading
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.snapshot import NotSavedError

pytestmark = pytest.mark.django_db
ONE, TWO = all_claims()[:2]


def done(run: str) -> None:
    """Both claims, one of which differs."""
    claim_runs.begin(run)
    claim_runs.note(run, ONE.id, Step.DONE, executed(ONE, holds("seen"), engine="Docker Engine 26", seconds=0.5))
    claim_runs.note(run, TWO.id, Step.DONE, executed(TWO, differs("Otherwise.", "seen")))
    claim_runs.finish(run, claim_runs.FINISHED, 3.5, ("Docker Engine 26",))


def test_a_run_is_wanted_driven_and_kept() -> None:
    run = claim_runs.create_run([ONE.id, TWO.id])
    assert [(one.id, one.claims) for one in claim_runs.load_waiting()] == [(run, (ONE.id, TWO.id))]
    live = claim_runs.live_run()
    assert live is not None
    assert live.live
    claim_runs.begin(run)
    assert claim_runs.load_waiting() == ()
    assert claim_runs.living() == {run}
    claim_runs.note(run, ONE.id, Step.RUNNING, None)
    assert [(one.claim, one.step) for one in claim_runs.outcomes(run)] == [(ONE.id, "running"), (TWO.id, "waiting")]
    done(run)
    found = claim_runs.describe(run)
    assert found is not None
    assert (found.state, found.asked, found.done, found.elapsed_s) == ("finished", 2, 2, 3.5)
    assert (found.count, found.engines, found.live) == (Count(1, 1), ("Docker Engine 26",), False)
    assert claim_runs.living() == set()
    assert [one.evidence for one in claim_runs.results(run)] == [("seen",), ("seen",)]


def test_the_newest_outcome_of_each_claim_is_found_and_misconceptions_do_not_count() -> None:
    first = claim_runs.create_run([ONE.id, TWO.id])
    done(first)
    second = claim_runs.create_run([TWO.id])
    claim_runs.create_run([ONE.id], misconception="grep-80", prediction="1")
    newest = claim_runs.newest_outcomes()
    assert {claim: one.run for claim, one in newest.items()} == {ONE.id: first, TWO.id: second}
    assert [one.id for one in claim_runs.history()] == [second, first]
    assert len(claim_runs.history(misconception=None)) == 3
    assert claim_runs.misconceptions_tried() == {"grep-80"}
    claim_runs.finish(second, claim_runs.CANCELLED, 0.1)
    assert {one.run for one in claim_runs.newest_outcomes().values()} == {first}


def test_the_end_of_a_run_is_asked_for_once_it_waits_or_runs_and_never_after() -> None:
    run = claim_runs.create_run([ONE.id])
    assert claim_runs.want_cancelled(run)
    assert claim_runs.is_cancelled(run)
    claim_runs.finish(run, claim_runs.CANCELLED, 0.1)
    assert not claim_runs.want_cancelled(run)
    assert claim_runs.describe("nobody") is None


def test_a_run_whose_process_died_is_marked() -> None:
    run = claim_runs.create_run([ONE.id], driven=True)
    assert claim_runs.mark_incomplete() == 0
    ClaimRun.objects.filter(pk=run).update(driver="999999999:1.0")
    assert claim_runs.living() == set()
    assert claim_runs.mark_incomplete() == 1
    found = claim_runs.describe(run)
    assert found is not None
    assert found.state == "incomplete"


def test_old_runs_are_forgotten_but_none_that_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_runs, "KEPT", 2)
    live = claim_runs.create_run([ONE.id])
    for _ in range(4):
        claim_runs.finish(claim_runs.create_run([ONE.id]), claim_runs.FINISHED, 0.0)
    claim_runs.create_run([ONE.id])
    assert claim_runs.exists(live)
    assert ClaimRun.objects.filter(state="finished").count() == 2


def test_a_run_is_saved_as_a_report_once_it_has_found_something() -> None:
    run = claim_runs.create_run([ONE.id, TWO.id])
    with pytest.raises(NotSavedError, match="Run claims first"):
        saved_reports.save_claims(run)
    done(run)
    content = report_reading.load_content(saved_reports.save_claims(run, saved_reports.ReportDetails("Claims of today")))
    assert content is not None
    assert (content.title, content.origin, len(content.claims)) == ("Claims of today", "claims", 2)
