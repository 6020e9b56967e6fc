"""Filters and a tag about containers of an experiment that do not run: ``{% load trouble %}``."""

from django import template
from django.utils.translation import gettext as _

from dashboard.core.experiments.messages import Answer, ExperimentHead, ExperimentRef, Phase

register = template.Library()


@register.filter
def with_holders(answer: Answer) -> tuple[tuple[str, ExperimentRef | None], ...]:
    """Returns the sentences about containers that do not run. Each is paired with the experiment that holds the port
    which the container needs, or None."""
    return tuple(zip(answer.trouble, answer.holders, strict=True))


@register.simple_tag
def running_trouble(head: ExperimentHead, answer: Answer) -> str:
    """Returns what to show instead of “running” if the engine does not answer or an arm does not run; otherwise empty.
    The counterpart in JavaScript is ``describePhase``."""
    if head.phase is not Phase.RUNNING:
        return ""
    if head.engine_away:
        return _("running, engine unavailable")
    return _("partly running") if answer.trouble else ""


@register.filter
def severity(head: ExperimentHead) -> str:
    """Returns ``bad`` if the experiment has failed because no arm runs; otherwise ``warn``."""
    return "bad" if head.phase is Phase.FAILED else "warn"
