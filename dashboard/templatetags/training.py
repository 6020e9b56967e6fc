"""Filters of the pages of a class: ``{% load training %}``."""

from __future__ import annotations

from collections.abc import Iterator

from django import template
from django.utils.translation import gettext as _

from dashboard.core.measurements.formatting import NOTHING
from dashboard.core.training.join_codes import shown
from dashboard.core.training.results.model import CellReport, PersonReport, SessionReport, StepReport
from dashboard.core.training.session import Need
from dashboard.core.workshops.progress import Stage

register = template.Library()


@register.filter
def code(text: str) -> str:
    """A join code in two halves."""
    return shown(text)


@register.filter
def need_word(need: str) -> str:
    """Why somebody needs help, in the reader's language."""
    return {
        Need.HAND: _("hand raised"),
        Need.FAILS: _("checks fail"),
        Need.SLOW: _("long in this step"),
    }[Need(need)]


@register.filter
def percent(part: int | None, whole: int | None) -> int:
    """For the width of a bar, 0 to 100."""
    return min(100, round(100 * (part or 0) / whole)) if whole else 0


@register.filter
def as_percent(share: float) -> str:
    """A share from 0 to 1 as it is read."""
    return _("%(percent)d %%") % {"percent": round(100 * share)}


@register.filter
def figure(value: int | None) -> str:
    """A count, or a dash where it is not told."""
    return NOTHING if value is None else str(value)


@register.filter
def asked_for_help(step: StepReport) -> str:
    """How often a hand was raised or a question written; a question comes with a hand."""
    return figure(None if step.hands is None else max(step.hands, step.questions or 0))


#: What stands for a stage in a grid, besides its word.
MARKS = {Stage.DONE: "✓", Stage.RUN: "▶", Stage.PREDICT: "?", Stage.LOCKED: "·"}


@register.filter
def stage_mark(stage: str) -> str:
    """A stage as a sign."""
    return MARKS[Stage(stage)]


def opened_words() -> dict[str, str]:
    """How far somebody came in a step, in the reader's language."""
    return {
        Stage.LOCKED: _("not opened"),
        Stage.PREDICT: _("opened"),
        Stage.RUN: _("under way"),
        Stage.DONE: _("done"),
    }


@register.filter
def opened_word(stage: str) -> str:
    """One of them."""
    return opened_words()[Stage(stage)]


@register.filter
def cells_of(person: PersonReport, report: SessionReport) -> Iterator[tuple[CellReport, StepReport]]:
    """Somebody's cells, each with its step."""
    return zip(person.cells, report.steps, strict=True)


@register.filter
def pointer_words(pointer: str) -> str:
    """A row's id as it is read: its section and its name."""
    section, _slash, rest = pointer.partition("/")
    return f"{section}: {rest.replace('/', ' ')}" if rest else pointer


def host_words() -> dict[str, str]:
    """The stages of a private host, in the reader's language."""
    return {
        "queued": _("waits in the queue"),
        "starting": _("starts"),
        "ready": _("ready"),
        "failed": _("failed"),
        "stopped": _("stopped"),
    }


def session_words() -> dict[str, object]:
    """What the browser says on the pages of a class."""
    return {
        "lost": _("connection lost: trying again"),
        "true": _("true"),
        "kernelSays": _("The kernel says:"),
        "itIs": _("It is:"),
        "nobodyRan": _("Nobody has run it yet: the kernel has not said anything."),
        "revealed": _("Your instructor has shown the answer."),
        "mirrorShown": _("Your instructor shows a comparison."),
        "you": _("You:"),
        "toAll": _("Instructor, to all:"),
        "toYou": _("Instructor, to you:"),
        "handUp": _("Your hand is up"),
        "askHelp": _("Ask for help"),
        "hostReady": _("Your private host is ready."),
        "hosts": host_words(),
        "needsHelp": _("Needs help:"),
        "kept": _("Kept."),
        "opened": opened_words(),
        "marks": MARKS,
        "away": _("away"),
        "gone": _("not there"),
        "hand": _("asks for help"),
        "step": _("Step {number} of {of}: {title}"),
        "failed": _("{count} failed"),
        "predictedSoFar": _("{count} predicted so far; the answer was not shown yet."),
        "locked": _("locked"),
        "together": _("all follow the instructor"),
        "gated": _("at their own pace, up to step {number}"),
        "timer": _("timer: {left}"),
        "nothingSaid": _("No hint to all yet."),
    }


@register.filter
def host_word(stage: str) -> str:
    """One of them."""
    return host_words().get(stage, stage)
