"""Filters and a tag about containers of an experiment that do not run: ``{% load trouble %}``."""

from django import template
from django.utils.translation import gettext as _

from dashboard.core.experiments.messages import Answer, ExperimentHead, ExperimentRef, Phase

register = template.Library()


@register.filter
def with_holders(answer: Answer) -> tuple[tuple[str, ExperimentRef | None], ...]:
    """Returns the sentences about containers that do not run. If a container needs a port that another experiment uses,
    the sentence is paired with that experiment, otherwise with None."""
    return tuple(zip(answer.trouble, answer.holders, strict=True))


@register.simple_tag
def running_trouble(head: ExperimentHead, answer: Answer) -> str:
    """Returns the text that replaces the phase “running” if the engine does not answer or an arm does not run;
    otherwise empty. The counterpart in JavaScript is ``describePhase``."""
    if head.phase is not Phase.RUNNING:
        return ""
    if head.engine_away:
        return _("running, engine unavailable")
    return _("partly running") if answer.trouble else ""


@register.filter
def severity(head: ExperimentHead) -> str:
    """Returns how the page marks the trouble: ``bad`` if the experiment has failed because no arm runs, otherwise
    ``warn``."""
    return "bad" if head.phase is Phase.FAILED else "warn"
