"""Claims and misconceptions on pages and in the API: runs are queued, outcomes shown, refusals explained."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.catalogue.mac_ignored import CLAIM as MAC
from dashboard.core.claims.engine_facts import DaemonOptions, EngineFacts
from dashboard.core.claims.misconceptions import all_misconceptions
from dashboard.core.claims.model import differs, holds, not_testable
from dashboard.core.claims.run import NOT_HARMLESS, ClaimState, ExecutedClaim
from dashboard.core.operations.heartbeat import Distribution, Heartbeat, LabMetrics, LabStatus
from dashboard.models import ClaimOutcome, ClaimRun
from dashboard.store import claim_runs
from tests.web.markup import forbidden_in

pytestmark = pytest.mark.django_db
HERE: dict[str, Any] = {"HTTP_HOST": "127.0.0.1", "HTTP_ORIGIN": "http://127.0.0.1"}
FIRST, SECOND = all_claims()[:2]
MISCONCEPTION = all_misconceptions()[0]


def done(run: str) -> str:
    """Stores the outcomes of the first two claims, of which the second differs; returns ``run``."""
    claim_runs.mark_running(run)
    claim_runs.record_state(
        run,
        FIRST.id,
        ClaimState.DONE,
        ExecutedClaim.from_judgement(FIRST, holds("net: <4026531840>"), engine="Docker Engine 26"),
    )
    claim_runs.record_state(
        run, SECOND.id, ClaimState.DONE, ExecutedClaim.from_judgement(SECOND, differs("It differs.", "net: 7"))
    )
    claim_runs.finish(run, claim_runs.FINISHED, 3.5, ("Docker Engine 26",))
    return run


def finished() -> str:
    return done(claim_runs.create_run([FIRST.id, SECOND.id]))


def test_the_page_lists_every_claim_by_topic_with_its_newest_verdict(owner: Client) -> None:
    finished()
    page = owner.get("/claims/", **HERE).content.decode()
    assert all(f'id="claim-{claim.id}"' in page for claim in all_claims())
    assert page.count('<h2 id="topic-') == 8
    assert '<th scope="row">net</th><td>&lt;4026531840&gt;</td>' in page
    assert "It differs." in page
    assert 'data-verdict="holds"' in page
    assert 'data-verdict="differs"' in page
    assert page.count("not run yet") == len(all_claims()) - 2
    assert "1 confirmed, 1 differs" in page
    assert forbidden_in(page) == []


def test_a_claim_shows_what_is_expected_of_other_engines_until_it_has_run(owner: Client) -> None:
    page = owner.get("/claims/", **HERE).content.decode()
    assert "Before API 1.44: --mac-address is refused in host mode." in page
    expected = MAC.on(EngineFacts((20, 10), (1, 41)))
    run = claim_runs.create_run([MAC.id])
    claim_runs.record_state(run, MAC.id, ClaimState.DONE, ExecutedClaim.from_judgement(expected, holds("refused")))
    claim_runs.finish(run, claim_runs.FINISHED, 1.0)
    for address in ("/claims/", f"/claims/runs/{run}/"):
        page = owner.get(address, **HERE).content.decode()
        assert '<p class="statement">--mac-address is refused in host mode.</p>' in page
        assert "This applies before API 1.44." in page
        assert "Before API 1.44: --mac-address" not in page
        assert "<dd>\n" not in page  # a line break in a list of facts is shown
    listed = {claim["id"]: claim for claim in owner.get("/api/claims", **HERE).json()}
    assert listed[MAC.id]["statement"] == "--mac-address is refused in host mode."
    assert owner.get(f"/api/claims/runs/{run}", **HERE).json()["claims"][0]["condition"] == "before API 1.44"


@pytest.mark.parametrize(
    ("private", "sentence"),
    [
        ("28.5.2", "Its version is 28.5.2; your engine has 20.10.24."),
        ("", "No dockerd is installed on that machine, so these claims are not testable."),
    ],
)
def test_the_page_tells_which_engine_runs_claims_on_private_hosts(
    owner: Client, monkeypatch: pytest.MonkeyPatch, private: str, sentence: str
) -> None:
    status = LabStatus("20.10.24", False, True, 0.0, 0.0, private_engine=private)
    nothing = Distribution((), (0,), 0.0)
    heartbeat = Heartbeat(0.0, status, LabMetrics(0, 0, 0, 0, nothing, nothing))
    monkeypatch.setattr("dashboard.web.claims.views.service.heartbeat", lambda: heartbeat)
    page = " ".join(owner.get("/claims/", **HERE).content.decode().split())
    count = sum(bool(claim.needs & NOT_HARMLESS) for claim in all_claims())
    assert f"{count} of them need exclusive use of ports, files or a LAN." in page
    assert "not on your engine" in page
    assert sentence in page


@pytest.mark.usefixtures("_lab")
def test_a_run_is_queued_followed_and_cancelled(owner: Client) -> None:
    answer = owner.post("/claims/run/", **HERE)
    run = ClaimRun.objects.get()
    assert answer["Location"] == f"/claims/runs/{run.pk}/"
    assert ClaimOutcome.objects.count() == len(all_claims())
    page = owner.get(answer["Location"], **HERE).content.decode()
    assert 'data-live="yes"' in page
    assert f"0 of {len(all_claims())} done" in page or "Waiting to start" in page
    assert "reload it to see progress" in page
    owner.post(f"/claims/runs/{run.pk}/cancel/", **HERE)
    assert claim_runs.is_cancelled(run.pk)
    assert "Cancelling" in owner.get(answer["Location"], **HERE).content.decode()
    claim_runs.finish(run.pk, claim_runs.CANCELLED, 1.0)
    page = owner.get(answer["Location"], **HERE).content.decode()
    assert 'data-live="no"' in page
    assert page.count("not run yet") == len(all_claims())


@pytest.mark.usefixtures("_lab")
def test_a_single_claim_can_be_run(owner: Client) -> None:
    answer = owner.post("/claims/run/", {"claim": FIRST.id}, **HERE)
    assert answer["Location"] == f"/claims/#claim-{FIRST.id}"
    assert [one.claim for one in ClaimOutcome.objects.all()] == [FIRST.id]
    page = owner.get("/claims/", **HERE).content.decode()
    assert 'data-live="yes"' in page


@pytest.mark.parametrize(
    ("path", "form", "status", "sentence"),
    [
        ("/claims/run/", {"claim": "nonsense"}, 400, "There is no claim nonsense: choose from"),
        ("/claims/run/", {}, 409, "No Docker Engine answers."),
        ("/claims/runs/nobody/cancel/", {}, 404, "Not found"),
        ("/claims/runs/nobody/save/", {}, 404, "Not found"),
        (f"/misconceptions/{MISCONCEPTION.id}/run/", {}, 400, "Choose one of the answers first"),
        (f"/misconceptions/{MISCONCEPTION.id}/run/", {"prediction": "7"}, 400, "Choose one of the answers first"),
        (f"/misconceptions/{MISCONCEPTION.id}/run/", {"prediction": "0"}, 409, "No Docker Engine answers."),
        ("/misconceptions/nonsense/run/", {"prediction": "0"}, 404, "Not found"),
    ],
)
def test_a_refusal_has_a_reason(owner: Client, path: str, form: dict[str, str], status: int, sentence: str) -> None:
    answer = owner.post(path, form, **HERE)
    assert answer.status_code == status
    assert sentence in answer.content.decode()
    assert not ClaimRun.objects.exists()


def test_missing_pages_are_404(owner: Client) -> None:
    run = finished()
    for path in ("/claims/runs/nobody/", "/misconceptions/nonsense/", f"/misconceptions/{MISCONCEPTION.id}/?run={run}"):
        assert owner.get(path, **HERE).status_code == 404


def test_a_finished_run_is_saved_as_a_report(owner: Client) -> None:
    run = finished()
    assert "Save report" in owner.get(f"/claims/runs/{run}/", **HERE).content.decode()
    answer = owner.post(f"/claims/runs/{run}/save/", **HERE)
    assert answer["Location"].startswith("/reports/")
    empty = claim_runs.create_run([FIRST.id])
    refused = owner.post(f"/claims/runs/{empty}/save/", **HERE)
    assert refused.status_code == 409
    assert "Run claims first" in refused.content.decode()


@pytest.mark.usefixtures("_lab")
def test_a_misconception_is_predicted_run_and_explained(owner: Client) -> None:
    gallery = owner.get("/misconceptions/", **HERE).content.decode()
    assert all(one.title in gallery.replace("&#x27;", "'") for one in all_misconceptions())
    asked = owner.get(f"/misconceptions/{MISCONCEPTION.id}/", **HERE).content.decode()
    assert MISCONCEPTION.happened not in asked
    assert asked.count('name="prediction"') == len(MISCONCEPTION.choices)
    wrong = (MISCONCEPTION.right + 1) % len(MISCONCEPTION.choices)
    address = owner.post(f"/misconceptions/{MISCONCEPTION.id}/run/", {"prediction": str(wrong)}, **HERE)["Location"]
    run = ClaimRun.objects.get()
    assert address == f"/misconceptions/{MISCONCEPTION.id}/?run={run.pk}"
    assert "What happened" not in owner.get(address, **HERE).content.decode()
    claim_runs.record_state(
        run.pk,
        MISCONCEPTION.claim.id,
        ClaimState.DONE,
        ExecutedClaim.from_judgement(MISCONCEPTION.claim, holds("the very row")),
    )
    claim_runs.finish(run.pk, claim_runs.FINISHED, 1.0)
    page = owner.get(address, **HERE).content.decode()
    for text in ("What happened", "incorrect", "the very row", "Why", "The fix"):
        assert text in page
    prediction = page[page.index("<dt>Prediction</dt>") : page.index("<dt>Outcome</dt>")]
    assert "incorrect" in prediction
    assert forbidden_in(page) == []
    assert owner.get(f"/claims/runs/{run.pk}/", **HERE)["Location"] == address


def test_an_engine_that_behaves_differently_makes_no_prediction_right_or_wrong(owner: Client) -> None:
    run = claim_runs.create_run([MISCONCEPTION.claim.id], misconception=MISCONCEPTION.id, prediction="0")
    claim_runs.record_state(
        run,
        MISCONCEPTION.claim.id,
        ClaimState.DONE,
        ExecutedClaim.from_judgement(MISCONCEPTION.claim, differs("It was accepted.", "row")),
    )
    claim_runs.finish(run, claim_runs.FINISHED, 1.0)
    page = owner.get(f"/misconceptions/{MISCONCEPTION.id}/?run={run}", **HERE).content.decode()
    assert "This engine behaved differently" in page
    assert ">correct<" not in page
    assert ">incorrect<" not in page


def test_a_misconception_that_could_not_be_tested_states_nothing_about_the_engine(owner: Client) -> None:
    run = claim_runs.create_run([MISCONCEPTION.claim.id], misconception=MISCONCEPTION.id, prediction="0")
    untested = ExecutedClaim.from_judgement(MISCONCEPTION.claim, not_testable("It needs a private host: no root."))
    claim_runs.record_state(run, MISCONCEPTION.claim.id, ClaimState.DONE, untested)
    claim_runs.finish(run, claim_runs.FINISHED, 1.0)
    page = owner.get(f"/misconceptions/{MISCONCEPTION.id}/?run={run}", **HERE).content.decode()
    assert "It needs a private host: no root." in page
    assert "Your prediction is neither correct nor incorrect: the setup could not be tested here." in page
    assert "This engine behaved differently" not in page
    assert ">correct<" not in page
    assert ">incorrect<" not in page


def test_an_engine_that_does_as_expected_of_it_makes_no_prediction_right_or_wrong(owner: Client) -> None:
    misconception = next(each for each in all_misconceptions() if each.id == "loopback-server")
    claim = misconception.claim.on(EngineFacts(options=DaemonOptions(userland_proxy=False)))
    run = claim_runs.create_run([claim.id], misconception=misconception.id, prediction="1")
    claim_runs.record_state(run, claim.id, ClaimState.DONE, ExecutedClaim.from_judgement(claim, holds("refused")))
    claim_runs.finish(run, claim_runs.FINISHED, 1.0)
    page = owner.get(f"/misconceptions/{misconception.id}/?run={run}", **HERE).content.decode()
    assert claim.statement in page
    assert "This applies with userland-proxy=false." in page
    assert misconception.happened not in page
    assert claim.exact in page.replace("&#x27;", "'")
    assert ">correct<" not in page
    assert ">incorrect<" not in page


def test_a_removed_claim_is_shown_as_recorded(owner: Client) -> None:
    run = finished()
    ClaimOutcome.objects.filter(run=run, claim=FIRST.id).update(claim="of-old")
    assert FIRST.statement in owner.get(f"/claims/runs/{run}/", **HERE).content.decode().replace("&#x27;", "'")


# The API.


def post(owner: Client, path: str, body: object) -> Any:
    token = owner.get("/claims/", **HERE).cookies["csrftoken"].value
    return owner.post(path, json.dumps(body), content_type="application/json", headers={"X-CSRFToken": token}, **HERE)


@pytest.mark.usefixtures("_lab")
def test_the_api_lists_runs_and_cancels(owner: Client) -> None:
    found = owner.get("/api/claims", **HERE).json()
    assert [one["id"] for one in found] == [claim.id for claim in all_claims()]
    started = post(owner, "/api/claims/runs", {"ids": [FIRST.id, SECOND.id]})
    assert started.status_code == 201
    run = done(started.json()["id"])
    answer = owner.get(f"/api/claims/runs/{run}", **HERE).json()
    assert (answer["run"]["state"], answer["run"]["count"]["holds"]) == ("finished", 1)
    assert [(one["id"], one["verdict"]) for one in answer["claims"]] == [(FIRST.id, "holds"), (SECOND.id, "differs")]
    assert owner.get("/api/claims/runs", **HERE).json()[0]["id"] == run
    assert post(owner, f"/api/claims/runs/{run}/cancel", {}).json() == {"cancelled": False}
    listed = owner.get("/api/misconceptions", **HERE).json()
    assert len(listed) == len(all_misconceptions())
    assert "right" not in listed[0]
    assert post(owner, f"/api/misconceptions/{MISCONCEPTION.id}", {"prediction": 0}).status_code == 201


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/claims/runs", {"ids": ["nonsense"]}, 400),
        ("/api/claims/runs", {"ids": []}, 409),
        ("/api/claims/runs/nobody/cancel", {}, 404),
        ("/api/misconceptions/nonsense", {"prediction": 0}, 404),
        (f"/api/misconceptions/{MISCONCEPTION.id}", {"prediction": 99}, 400),
        (f"/api/misconceptions/{MISCONCEPTION.id}", {"prediction": -1}, 400),
        (f"/api/misconceptions/{MISCONCEPTION.id}", {"prediction": 0}, 409),
    ],
)
def test_the_api_refuses_with_a_reason(owner: Client, path: str, body: object, status: int) -> None:
    answer = post(owner, path, body)
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert owner.get("/api/claims/runs/nobody", **HERE).status_code == 404


@pytest.mark.usefixtures("_lab")
def test_the_page_says_how_long_a_run_takes_and_how_long_it_still_takes(owner: Client) -> None:
    page = owner.get("/claims/", **HERE).content.decode()
    assert re.search(r"Running all claims takes about [\d.]+ (s|min)\.", page)
    run = claim_runs.create_run([FIRST.id, SECOND.id])
    claim_runs.mark_running(run)
    slow = ExecutedClaim.from_judgement(FIRST, holds("x"), seconds=1.0)
    claim_runs.record_state(run, FIRST.id, ClaimState.DONE, slow)
    page = owner.get(f"/claims/runs/{run}/", **HERE).content.decode()
    assert re.search(r"1 of 2 done,\s+about \d+ s left", page)
    assert "Running all claims takes" not in owner.get("/claims/", **HERE).content.decode()
    claim_runs.finish(run, claim_runs.CANCELLED, 1.0)
    assert (
        " left"
        not in owner.get(f"/claims/runs/{run}/", **HERE).content.decode().partition('data-part="progress"')[2][:900]
    )
