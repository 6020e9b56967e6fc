"""The page of questions: complete without JavaScript, and a run of one question or one of its claims."""

from __future__ import annotations

import html
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.model import holds
from dashboard.core.claims.questions import all_questions
from dashboard.core.claims.run import ClaimState, ExecutedClaim
from dashboard.models import ClaimOutcome, ClaimRun
from dashboard.store import claim_runs
from dashboard.web.claims.questions import EXAMPLES
from tests.web.markup import forbidden_in

pytestmark = pytest.mark.django_db
HERE: dict[str, Any] = {"HTTP_HOST": "127.0.0.1", "HTTP_ORIGIN": "http://127.0.0.1"}
QUESTION = all_questions()[0]
CLAIMS = {claim.id: claim for claim in all_claims()}


class Sections(HTMLParser):
    """Collects the ids of the questions that a page does not hide."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps a section that is a question."""
        values = dict(attrs)
        if tag == "section" and "data-question" in values and "hidden" not in values:
            self.shown.append(str(values["id"]).removeprefix("question-"))


def shown(page: str) -> list[str]:
    """The ids of the questions that a page shows without JavaScript."""
    sections = Sections()
    sections.feed(page)
    return sections.shown


def test_every_question_has_its_answer_claims_and_links(owner: Client) -> None:
    page = html.unescape(owner.get("/questions/", **HERE).content.decode())
    for question in all_questions():
        assert question.title in page
        assert question.answer in page
        assert question.documented.url in page
        assert all(link.url in page for link in question.issues)
        assert all(f'id="claim-{question.id}-{claim}"' in page for claim in question.claims)
    assert "25 of 25 questions" in " ".join(page.split())
    # Links to documentation and issues leave the site; nothing is loaded from there.
    assert [found for found in forbidden_in(page) if not found.startswith("a href=https://")] == []


def test_the_server_searches(owner: Client) -> None:
    page = owner.get("/questions/", {"q": "empty reply from server"}, **HERE).content.decode()
    assert shown(page) == ["bound-to-loopback"]
    assert '<details class="of-question" open>' in page
    assert "1 of 25 questions" in " ".join(page.split())
    assert 'value="empty reply from server"' in page


def test_a_search_without_results_offers_everything(owner: Client) -> None:
    page = owner.get("/questions/", {"q": "<script>xyzzy"}, **HERE).content.decode()
    assert shown(page) == []
    assert "No question contains these words." in page
    assert "<script>xyzzy" not in page


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_suggested_search_finds_some_questions(owner: Client, example: str) -> None:
    found = shown(owner.get("/questions/", {"q": example}, **HERE).content.decode())
    assert 0 < len(found) < len(all_questions())


@pytest.mark.usefixtures("_lab")
def test_a_run_of_a_question_queues_its_claims_and_returns_to_it(owner: Client) -> None:
    response = owner.post(f"/questions/{QUESTION.id}/run/", {"q": "host mode"}, **HERE)
    assert response.status_code == 302
    assert response["Location"] == f"/questions/?q=host+mode&open={QUESTION.id}#question-{QUESTION.id}"
    (run,) = ClaimRun.objects.all()
    assert {outcome.claim for outcome in ClaimOutcome.objects.filter(run=run)} == set(QUESTION.claims)
    page = owner.get(response["Location"].partition("#")[0], **HERE).content.decode()
    assert 'data-live="yes"' in page
    assert "disabled" in page


@pytest.mark.usefixtures("_lab")
def test_one_claim_can_be_run(owner: Client) -> None:
    owner.post(f"/questions/{QUESTION.id}/run/", {"claim": QUESTION.claims[1]}, **HERE)
    assert [outcome.claim for outcome in ClaimOutcome.objects.all()] == [QUESTION.claims[1]]


def test_the_verdict_of_a_question_is_that_of_its_claims(owner: Client) -> None:
    run = claim_runs.create_run(list(QUESTION.claims))
    claim_runs.mark_running(run)
    for identity in QUESTION.claims:
        executed = ExecutedClaim.from_judgement(CLAIMS[identity], holds("seen: 1"))
        claim_runs.record_state(run, identity, ClaimState.DONE, executed)
    claim_runs.finish(run, claim_runs.FINISHED, 1.0)
    page = " ".join(owner.get("/questions/", **HERE).content.decode().split())
    assert f"{len(QUESTION.claims)} confirmed" in page


@pytest.mark.usefixtures("_lab")
@pytest.mark.parametrize(
    ("path", "fields", "status", "words"),
    [
        ("/questions/no-such/run/", {}, 404, "Choose one from the list."),
        (f"/questions/{QUESTION.id}/run/", {"claim": "no-such"}, 400, "The question has no such claim"),
        (f"/questions/{QUESTION.id}/run/", {"claim": "bridge-veth"}, 400, "The question has no such claim"),
    ],
)
def test_an_unknown_question_or_claim_is_refused_with_advice(
    owner: Client, path: str, fields: dict[str, str], status: int, words: str
) -> None:
    response = owner.post(path, fields, **HERE)
    assert response.status_code == status
    assert words in response.content.decode()
    assert not ClaimRun.objects.exists()


def test_without_an_engine_nothing_is_queued(owner: Client) -> None:
    response = owner.post(f"/questions/{QUESTION.id}/run/", **HERE)
    assert response.status_code == 409
    assert not ClaimRun.objects.exists()


def test_a_run_is_a_command(owner: Client) -> None:
    assert owner.get(f"/questions/{QUESTION.id}/run/", **HERE).status_code == 405
