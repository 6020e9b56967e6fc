"""Filters and texts for the pages of sessions: ``{% load training %}``."""

from collections.abc import Iterator

from django import template
from django.utils.translation import gettext as _

from dashboard.core.measurements.formatting import NOTHING
from dashboard.core.training.results.model import CellReport, PersonReport, SessionReport, StepReport
from dashboard.store.operations.database_clock import shared_clock
from dashboard.templatetags.words import SIGNS, WORDS

register = template.Library()


@register.simple_tag
def server_time() -> str:
    """Returns the time at which the page is rendered, in seconds since the epoch. Scripts correct the browser's clock
    with it."""
    return f"{shared_clock():.3f}"


@register.filter
def percent(part: int | None, whole: int | None) -> int:
    """Returns ``part`` in percent of ``whole``, from 0 to 100, for the width of a bar; 0 if ``whole`` is 0 or None."""
    return min(100, round(100 * (part or 0) / whole)) if whole else 0


@register.filter
def as_percent(share: float) -> str:
    """Formats a share from 0 to 1 in percent."""
    return _("%(percent)d %%") % {"percent": round(100 * share)}


@register.filter
def figure(value: int | None) -> str:
    """Formats a count; None, which an anonymous report may contain, becomes a dash."""
    return NOTHING if value is None else str(value)


@register.filter
def asked_for_help(step: StepReport) -> str:
    """Returns the number of requests for help in a step. Asking a question also raises the participant's hand. So that
    neither is counted twice, this is the larger of the numbers of raised hands and of questions."""
    return figure(None if step.hands is None else max(step.hands, step.questions or 0))


@register.filter
def cells_of(person: PersonReport, report: SessionReport) -> Iterator[tuple[CellReport, StepReport]]:
    """Yields the results of the participant ``person``: a cell for each step of the report, together with the step."""
    return zip(person.cells, report.steps, strict=True)


@register.filter
def row_name(row_id: str) -> str:
    """Formats the id of a row of the comparison as “section: name”."""
    section, _slash, rest = row_id.partition("/")
    return f"{section}: {rest.replace('/', ' ')}" if rest else row_id


def session_words() -> dict[str, object]:
    """Returns the translated texts for the JavaScript of the session pages."""
    return {
        "lost": _("connection lost; reconnecting"),
        "true": _("correct"),
        "kernelSays": _("Read from the kernel:"),
        "itIs": _("Correct answer:"),
        "noReading": _("The correct answer is not known yet: no participant has run the step."),
        "revealed": _("Your instructor has revealed the answer."),
        "mirrorShown": _("Your instructor shows a comparison."),
        "you": _("You:"),
        "toAll": _("Instructor, to all:"),
        "toYou": _("Instructor, to you:"),
        "handUp": _("Your hand is raised"),
        "askHelp": _("Ask for help"),
        "hostReady": _("Your private host is ready."),
        "hosts": WORDS["host"],
        "needsHelp": _("Needs help:"),
        "saved": _("Saved."),
        "stages": WORDS["progress"],
        "marks": SIGNS["progress"],
        "away": _("away"),
        "gone": _("not connected"),
        "hand": _("hand raised"),
        "step": _("Step {number} of {of}: {title}"),
        "failed": _("{count} failed"),
        "predictedSoFar": _("{count} predicted; the answer is not revealed yet."),
        "locked": _("locked"),
        "together": _("following the instructor"),
        "gated": _("self-paced, up to step {number}"),
        "timer": _("timer: {left}"),
        "nothingSaid": _("No hint to all yet."),
    }
