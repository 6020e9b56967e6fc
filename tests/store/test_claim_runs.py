"""Runs of claims in the database."""

from __future__ import annotations

import pytest

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.catalogue.mac_ignored import CLAIM as MAC
from dashboard.core.claims.engine_facts import EngineFacts
from dashboard.core.claims.model import differs, holds
from dashboard.core.claims.run import ClaimState, ExecutedClaim, VerdictCount
from dashboard.models import ClaimRun
from dashboard.store import claim_runs
from dashboard.store.reports import reading as report_reading
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.snapshot import NotSavedError

pytestmark = pytest.mark.django_db
FIRST, SECOND = all_claims()[:2]


def done(run: str) -> None:
    """Stores the outcomes of both claims, of which the second differs."""
    claim_runs.mark_running(run)
    claim_runs.record_state(
        run,
        FIRST.id,
        ClaimState.DONE,
        ExecutedClaim.from_judgement(FIRST, holds("seen"), engine="Docker Engine 26", seconds=0.5),
    )
    claim_runs.record_state(
        run, SECOND.id, ClaimState.DONE, ExecutedClaim.from_judgement(SECOND, differs("It differs.", "seen"))
    )
    claim_runs.finish(run, claim_runs.FINISHED, 3.5, ("Docker Engine 26",))


def test_a_run_is_queued_driven_and_kept() -> None:
    run = claim_runs.create_run([FIRST.id, SECOND.id])
    assert [(one.id, one.claims) for one in claim_runs.load_queued()] == [(run, (FIRST.id, SECOND.id))]
    live = claim_runs.live_run()
    assert live is not None
    assert live.live
    claim_runs.mark_running(run)
    assert claim_runs.load_queued() == ()
    assert claim_runs.driven_runs() == {run}
    claim_runs.record_state(run, FIRST.id, ClaimState.RUNNING, None)
    assert [(one.claim, one.step) for one in claim_runs.outcomes(run)] == [
        (FIRST.id, "running"),
        (SECOND.id, "waiting"),
    ]
    done(run)
    found = claim_runs.load_run(run)
    assert found is not None
    assert (found.state, found.asked, found.done, found.elapsed_s) == ("finished", 2, 2, 3.5)
    assert (found.count, found.engines, found.live) == (VerdictCount(1, 1), ("Docker Engine 26",), False)
    assert claim_runs.driven_runs() == set()
    assert [one.evidence for one in claim_runs.results(run)] == [("seen",), ("seen",)]


def test_the_newest_outcome_of_each_claim_excludes_misconceptions() -> None:
    first = claim_runs.create_run([FIRST.id, SECOND.id])
    done(first)
    second = claim_runs.create_run([SECOND.id])
    claim_runs.create_run([FIRST.id], misconception="grep-80", prediction="1")
    newest = claim_runs.newest_outcomes()
    assert {claim: one.run for claim, one in newest.items()} == {FIRST.id: first, SECOND.id: second}
    assert [one.id for one in claim_runs.list_runs()] == [second, first]
    assert len(claim_runs.list_runs(misconception=None)) == 3
    assert claim_runs.misconceptions_tried() == {"grep-80"}
    claim_runs.finish(second, claim_runs.CANCELLED, 0.1)
    assert {one.run for one in claim_runs.newest_outcomes().values()} == {first}


def test_only_a_live_run_can_be_cancelled() -> None:
    run = claim_runs.create_run([FIRST.id])
    assert claim_runs.request_cancel(run)
    assert claim_runs.is_cancelled(run)
    claim_runs.finish(run, claim_runs.CANCELLED, 0.1)
    assert not claim_runs.request_cancel(run)
    assert claim_runs.load_run("nobody") is None


def test_queued_runs_of_a_host_are_cancelled_on_request() -> None:
    queued, wanted, running = (claim_runs.create_run([FIRST.id]) for _ in range(3))
    elsewhere = claim_runs.create_run([FIRST.id], host="abc")
    claim_runs.mark_running(running)
    for run in (wanted, running, elsewhere):
        claim_runs.request_cancel(run)
    claim_runs.cancel_queued()
    states = dict(ClaimRun.objects.values_list("pk", "state"))
    assert states == {queued: "waiting", wanted: "cancelled", running: "running", elsewhere: "waiting"}
    claim_runs.cancel_queued("abc")
    assert ClaimRun.objects.get(pk=elsewhere).state == "cancelled"


def test_a_run_whose_process_died_is_marked() -> None:
    run = claim_runs.create_run([FIRST.id], driven=True)
    assert claim_runs.mark_incomplete() == 0
    ClaimRun.objects.filter(pk=run).update(driver="999999999:1.0")
    assert claim_runs.driven_runs() == set()
    assert claim_runs.mark_incomplete() == 1
    found = claim_runs.load_run(run)
    assert found is not None
    assert found.state == "incomplete"


def test_only_a_run_that_this_process_drives_is_marked_as_not_stored() -> None:
    queued, driven, ended = (claim_runs.create_run([FIRST.id]) for _ in range(3))
    claim_runs.mark_running(driven)
    done(ended)
    for run in (queued, driven, ended):
        claim_runs.fail_unstored(run)
    states = dict(ClaimRun.objects.values_list("pk", "state"))
    assert states == {queued: "waiting", driven: "failed", ended: "finished"}


def test_old_runs_are_deleted_but_not_live_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_runs, "MAX_KEPT", 2)
    live = claim_runs.create_run([FIRST.id])
    for _ in range(4):
        claim_runs.finish(claim_runs.create_run([FIRST.id]), claim_runs.FINISHED, 0.0)
    claim_runs.create_run([FIRST.id])
    assert claim_runs.exists(live)
    assert ClaimRun.objects.filter(state="finished").count() == 2


def test_the_newest_result_of_a_claim_is_kept_and_results_of_misconceptions_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise the page of claims says that the claim was not run yet."""
    monkeypatch.setattr(claim_runs, "MAX_KEPT", 1)
    older, newest = (claim_runs.create_run([FIRST.id, SECOND.id]) for _ in range(2))
    tried = claim_runs.create_run([FIRST.id, SECOND.id], misconception="grep-80", prediction="1")
    for run in (older, newest, tried):
        done(run)
    for _ in range(3):
        claim_runs.finish(claim_runs.create_run([SECOND.id]), claim_runs.CANCELLED, 0.0)
    claim_runs.create_run([FIRST.id])
    assert [claim_runs.exists(run) for run in (older, newest, tried)] == [False, True, False]
    assert claim_runs.newest_outcomes()[SECOND.id].run == newest


def test_a_run_with_results_can_be_saved_as_a_report() -> None:
    run = claim_runs.create_run([FIRST.id, SECOND.id])
    with pytest.raises(NotSavedError, match="Run claims first"):
        saved_reports.save_claims(run)
    done(run)
    content = report_reading.load_content(
        saved_reports.save_claims(run, saved_reports.ReportDetails("Claims of today"))
    )
    assert content is not None
    assert (content.title, content.origin, len(content.claims)) == ("Claims of today", "claims", 2)


def test_a_saved_report_names_the_engine_and_the_condition_of_each_claim() -> None:
    run = claim_runs.create_run([MAC.id])
    refused = MAC.on(EngineFacts((20, 10), (1, 41)))
    executed = ExecutedClaim.from_judgement(refused, holds("seen"), engine="Docker Engine 20.10.24 (old)")
    claim_runs.record_state(run, MAC.id, ClaimState.DONE, executed)
    claim_runs.finish(run, claim_runs.FINISHED, 1.0)
    content = report_reading.load_content(saved_reports.save_claims(run))
    assert content is not None
    (result,) = content.claims
    assert result.engine == "Docker Engine 20.10.24 (old)"
    assert result.sentence == "--mac-address is refused in host mode. This applies before API 1.44."


def test_the_recorded_duration_of_a_claim_is_the_newest() -> None:
    first = all_claims()[0]
    for seconds in (5.0, 2.5):
        run = claim_runs.create_run([first.id])
        executed = ExecutedClaim.from_judgement(first, holds("x"), seconds=seconds)
        claim_runs.record_state(run, first.id, ClaimState.DONE, executed)
        claim_runs.finish(run, claim_runs.FINISHED, 6.0)
    claim_runs.create_run([first.id])
    assert claim_runs.recorded_seconds() == {first.id: 2.5}
