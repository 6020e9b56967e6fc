"""Claims and misconceptions on pages and over the API: wishes written down, outcomes shown, sentences for the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.misconceptions import all_misconceptions
from dashboard.core.claims.model import differs, holds
from dashboard.core.claims.run import Step, executed
from dashboard.models import ClaimOutcome, ClaimRun
from dashboard.store import claim_runs
from dashboard.web.service import service
from tests.web.markup import forbidden_in

pytestmark = pytest.mark.django_db
HERE: dict[str, Any] = {"HTTP_HOST": "127.0.0.1", "HTTP_ORIGIN": "http://127.0.0.1"}
ONE, TWO = all_claims()[:2]
BROKEN = all_misconceptions()[0]


@pytest.fixture
def _lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab that is there and does nothing."""

    class Lab:
        context = None

        def wake(self) -> None:
            """Nobody works."""

        def heartbeat(self) -> None:
            """Nothing is known of it."""

    monkeypatch.setattr(service, "_lab", Lab())


def done(run: str) -> str:
    """The first two claims, of which the second differs."""
    claim_runs.begin(run)
    claim_runs.note(run, ONE.id, Step.DONE, executed(ONE, holds("net: <4026531840>"), engine="Docker Engine 26"))
    claim_runs.note(run, TWO.id, Step.DONE, executed(TWO, differs("It did otherwise.", "net: 7")))
    claim_runs.finish(run, claim_runs.FINISHED, 3.5, ("Docker Engine 26",))
    return run


def finished() -> str:
    return done(claim_runs.create_run([ONE.id, TWO.id]))


def test_the_page_lists_every_claim_by_statement_with_its_newest_verdict(owner: Client) -> None:
    finished()
    page = owner.get("/claims/", **HERE).content.decode()
    assert all(f'id="claim-{claim.id}"' in page for claim in all_claims())
    assert page.count('<h2 id="topic-') == 8
    assert "net: &lt;4026531840&gt;" in page
    assert "It did otherwise." in page
    assert 'data-verdict="holds"' in page
    assert 'data-verdict="differs"' in page
    assert page.count("not executed yet") == len(all_claims()) - 2
    assert "1 holds, 1 differs" in page
    assert forbidden_in(page) == []


@pytest.mark.usefixtures("_lab")
def test_a_run_is_wanted_followed_and_cancelled(owner: Client) -> None:
    answer = owner.post("/claims/run/", **HERE)
    run = ClaimRun.objects.get()
    assert answer["Location"] == f"/claims/runs/{run.pk}/"
    assert ClaimOutcome.objects.count() == len(all_claims())
    page = owner.get(answer["Location"], **HERE).content.decode()
    assert 'data-live="yes"' in page
    assert f"0 of {len(all_claims())} done" in page or "Waiting to begin" in page
    assert "reload to see more" in page
    owner.post(f"/claims/runs/{run.pk}/cancel/", **HERE)
    assert claim_runs.is_cancelled(run.pk)
    assert "Ending" in owner.get(answer["Location"], **HERE).content.decode()
    claim_runs.finish(run.pk, claim_runs.CANCELLED, 1.0)
    page = owner.get(answer["Location"], **HERE).content.decode()
    assert 'data-live="no"' in page
    assert page.count("not executed yet") == len(all_claims())


@pytest.mark.usefixtures("_lab")
def test_one_claim_is_run_from_its_own_line(owner: Client) -> None:
    answer = owner.post("/claims/run/", {"claim": ONE.id}, **HERE)
    assert answer["Location"] == f"/claims/#claim-{ONE.id}"
    assert [one.claim for one in ClaimOutcome.objects.all()] == [ONE.id]
    page = owner.get("/claims/", **HERE).content.decode()
    assert 'data-live="yes"' in page


@pytest.mark.parametrize(
    ("path", "form", "status", "sentence"),
    [
        ("/claims/run/", {"claim": "nonsense"}, 400, "There is no claim nonsense: choose among"),
        ("/claims/run/", {}, 409, "No Docker Engine answers."),
        ("/claims/runs/nobody/cancel/", {}, 404, "Not found"),
        ("/claims/runs/nobody/save/", {}, 404, "Not found"),
        (f"/misconceptions/{BROKEN.id}/run/", {}, 400, "Choose one of the answers first"),
        (f"/misconceptions/{BROKEN.id}/run/", {"prediction": "7"}, 400, "Choose one of the answers first"),
        (f"/misconceptions/{BROKEN.id}/run/", {"prediction": "0"}, 409, "No Docker Engine answers."),
        ("/misconceptions/nonsense/run/", {"prediction": "0"}, 404, "Not found"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    owner: Client, path: str, form: dict[str, str], status: int, sentence: str
) -> None:
    answer = owner.post(path, form, **HERE)
    assert answer.status_code == status
    assert sentence in answer.content.decode()
    assert not ClaimRun.objects.exists()


def test_pages_that_are_not_there_say_so(owner: Client) -> None:
    run = finished()
    for path in ("/claims/runs/nobody/", "/misconceptions/nonsense/", f"/misconceptions/{BROKEN.id}/?run={run}"):
        assert owner.get(path, **HERE).status_code == 404


def test_a_finished_run_is_saved_as_a_report(owner: Client) -> None:
    run = finished()
    assert "Save report" in owner.get(f"/claims/runs/{run}/", **HERE).content.decode()
    answer = owner.post(f"/claims/runs/{run}/save/", **HERE)
    assert answer["Location"].startswith("/reports/")
    empty = claim_runs.create_run([ONE.id])
    refused = owner.post(f"/claims/runs/{empty}/save/", **HERE)
    assert refused.status_code == 409
    assert "run claims first" in refused.content.decode()


@pytest.mark.usefixtures("_lab")
def test_a_misconception_is_predicted_run_and_revealed(owner: Client) -> None:
    gallery = owner.get("/misconceptions/", **HERE).content.decode()
    assert all(one.title in gallery.replace("&#x27;", "'") for one in all_misconceptions())
    asked = owner.get(f"/misconceptions/{BROKEN.id}/", **HERE).content.decode()
    assert BROKEN.happened not in asked
    assert asked.count('name="prediction"') == len(BROKEN.choices)
    wrong = (BROKEN.right + 1) % len(BROKEN.choices)
    address = owner.post(f"/misconceptions/{BROKEN.id}/run/", {"prediction": str(wrong)}, **HERE)["Location"]
    run = ClaimRun.objects.get()
    assert address == f"/misconceptions/{BROKEN.id}/?run={run.pk}"
    assert "What happened" not in owner.get(address, **HERE).content.decode()
    claim_runs.note(run.pk, BROKEN.claim.id, Step.DONE, executed(BROKEN.claim, holds("the very row")))
    claim_runs.finish(run.pk, claim_runs.FINISHED, 1.0)
    page = owner.get(address, **HERE).content.decode()
    for text in ("What happened", "not as you said", "the very row", "Why", "How to do it right"):
        assert text in page
    assert forbidden_in(page) == []
    assert owner.get(f"/claims/runs/{run.pk}/", **HERE)["Location"] == address


def test_an_engine_that_did_otherwise_makes_nobody_right_or_wrong(owner: Client) -> None:
    run = claim_runs.create_run([BROKEN.claim.id], misconception=BROKEN.id, prediction="0")
    claim_runs.note(run, BROKEN.claim.id, Step.DONE, executed(BROKEN.claim, differs("It was accepted.", "row")))
    claim_runs.finish(run, claim_runs.FINISHED, 1.0)
    page = owner.get(f"/misconceptions/{BROKEN.id}/?run={run}", **HERE).content.decode()
    assert "This engine did not do what is described here" in page
    assert "as you said" not in page


def test_a_claim_that_this_version_does_not_know_any_more_is_shown_as_it_was(owner: Client) -> None:
    run = finished()
    ClaimOutcome.objects.filter(run=run, claim=ONE.id).update(claim="of-old")
    assert ONE.statement in owner.get(f"/claims/runs/{run}/", **HERE).content.decode().replace("&#x27;", "'")


# The API.


def post(owner: Client, path: str, body: object) -> Any:
    token = owner.get("/claims/", **HERE).cookies["csrftoken"].value
    return owner.post(path, json.dumps(body), content_type="application/json", headers={"X-CSRFToken": token}, **HERE)


@pytest.mark.usefixtures("_lab")
def test_the_api_does_the_same(owner: Client) -> None:
    found = owner.get("/api/claims", **HERE).json()
    assert [one["id"] for one in found] == [claim.id for claim in all_claims()]
    started = post(owner, "/api/claims/runs", {"ids": [ONE.id, TWO.id]})
    assert started.status_code == 201
    run = done(started.json()["id"])
    answer = owner.get(f"/api/claims/runs/{run}", **HERE).json()
    assert (answer["run"]["state"], answer["run"]["count"]["holds"]) == ("finished", 1)
    assert [(one["id"], one["verdict"]) for one in answer["claims"]] == [(ONE.id, "holds"), (TWO.id, "differs")]
    assert owner.get("/api/claims/runs", **HERE).json()[0]["id"] == run
    assert post(owner, f"/api/claims/runs/{run}/cancel", {}).json() == {"cancelled": False}
    listed = owner.get("/api/misconceptions", **HERE).json()
    assert len(listed) == len(all_misconceptions())
    assert "right" not in listed[0]
    assert post(owner, f"/api/misconceptions/{BROKEN.id}", {"prediction": 0}).status_code == 201


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/claims/runs", {"ids": ["nonsense"]}, 400),
        ("/api/claims/runs", {"ids": []}, 409),
        ("/api/claims/runs/nobody/cancel", {}, 404),
        ("/api/misconceptions/nonsense", {"prediction": 0}, 404),
        (f"/api/misconceptions/{BROKEN.id}", {"prediction": 99}, 400),
        (f"/api/misconceptions/{BROKEN.id}", {"prediction": -1}, 400),
        (f"/api/misconceptions/{BROKEN.id}", {"prediction": 0}, 409),
    ],
)
def test_the_api_refuses_with_a_sentence(owner: Client, path: str, body: object, status: int) -> None:
    answer = post(owner, path, body)
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert owner.get("/api/claims/runs/nobody", **HERE).status_code == 404
