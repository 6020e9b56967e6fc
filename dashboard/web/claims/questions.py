"""The page of questions: searches questions, and runs the claims that answer them."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.question import MAX_QUERY, Question, search
from dashboard.core.claims.questions import all_questions, find_question
from dashboard.core.claims.run import count_verdicts
from dashboard.core.reports.model import ClaimVerdict
from dashboard.store import claim_runs
from dashboard.web.claims.presenters import ShownClaim, show_catalogue
from dashboard.web.claims.views import start_run
from dashboard.web.experiments.views import refuse
from dashboard.web.service import LabUnavailableError, service

#: A search with at most this many results shows their claims.
OPEN_RESULTS = 2
#: The searches that the page suggests.
EXAMPLES = (
    "connection refused",
    "empty reply from server",
    "works from here, not from there",
    "source is 172.17.0.1",
    "Published ports are discarded",
    "no such host",
    "ufw",
)


@dataclass(frozen=True, slots=True)
class ShownQuestion:
    """A question with the newest outcomes of its claims.

    ``text``: the text that a search looks through, including the claims' statements. ``found``: the question matches
    the search. ``open``: the page shows its claims.
    """

    question: Question
    claims: tuple[ShownClaim, ...]
    text: str
    open: bool = False
    found: bool = True

    @property
    def executed(self) -> int:
        """The number of the question's claims that have a verdict."""
        return sum(bool(claim.verdict) for claim in self.claims)

    @property
    def verdict(self) -> str:
        """The most important verdict among the claims, in the order ``differs``, ``holds``, ``not-testable``.

        Empty if no claim has a verdict.
        """
        verdicts = {claim.verdict for claim in self.claims}
        order = (ClaimVerdict.DIFFERS, ClaimVerdict.HOLDS, ClaimVerdict.NOT_TESTABLE)
        return next((str(verdict) for verdict in order if verdict in verdicts), "")

    @property
    def working(self) -> bool:
        """Whether one of the question's claims waits for its execution or is being executed."""
        return any(claim.working for claim in self.claims)

    @property
    def summary(self) -> str:
        """The number of claims with each verdict, such as ``3 confirmed, 1 not testable here``.

        Empty if no claim has a verdict.
        """
        verdicts = [ClaimVerdict(claim.verdict) for claim in self.claims if claim.verdict]
        return count_verdicts(verdicts).sentence if verdicts else ""

    @property
    def stamp(self) -> str:
        """A text that changes with each new outcome of one of the claims, so that open pages update the question."""
        return " ".join(claim.stamp for claim in self.claims)


def show_questions(query: str, opened: str) -> list[ShownQuestion]:
    """Returns all questions, those that match ``query`` first.

    ``open`` is true for the question with the id ``opened``. If at most ``OPEN_RESULTS`` questions match, ``open`` is
    true for each of them as well.
    """
    shown = {claim.id: claim for claim in show_catalogue(claim_runs.newest_outcomes())}
    texts = {
        question.id: " ".join((question.text, *(shown[claim].statement.casefold() for claim in question.claims)))
        for question in all_questions()
    }
    found = search(query, all_questions(), lambda question: texts[question.id])
    expand = bool(query.strip()) and len(found) <= OPEN_RESULTS
    items = [
        ShownQuestion(
            question,
            tuple(shown[claim] for claim in question.claims),
            texts[question.id],
            open=question.id == opened or (expand and question in found),
            found=question in found,
        )
        for question in all_questions()
    ]
    return sorted(items, key=lambda item: not item.found)


@require_GET
def questions(request: HttpRequest) -> HttpResponse:
    """Renders the page of questions. ``?q=TEXT`` searches them; ``?open=ID`` shows the claims of one of them."""
    query = request.GET.get("q", "")[:MAX_QUERY]
    shown = show_questions(query, request.GET.get("open", ""))
    context = {
        "query": query,
        "questions": shown,
        "found": sum(item.found for item in shown),
        "total": len(shown),
        "claims": len(all_claims()),
        "examples": EXAMPLES,
        "run": claim_runs.live_run(),
        "engine_problem": service.missing(),
    }
    return render(request, "claims/questions.html", context)


@require_POST
def run_question(request: HttpRequest, name: str) -> HttpResponse:
    """Queues a run of all claims of a question, or of the single claim that the form names."""
    question = find_question(name)
    if question is None:
        return refuse(
            request, 404, _("That question does not exist"), _("Choose one from the list."), back="/questions/"
        )
    wanted = request.POST.get("claim", "")
    if wanted and wanted not in question.claims:
        sentence = _("The question has no such claim. Choose one from the list.")
        return refuse(request, 400, _("That claim does not exist"), sentence, back="/questions/")
    try:
        start_run([wanted] if wanted else question.claims, request.user.pk)
    except LabUnavailableError as error:
        return refuse(request, 409, _("Claims cannot run now"), str(error), back="/questions/")
    query = request.POST.get("q", "")[:MAX_QUERY]
    fields = {"q": query, "open": question.id} if query else {"open": question.id}
    return redirect(f"/questions/?{urlencode(fields)}#question-{question.id}")
