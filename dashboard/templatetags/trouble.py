"""Filters of what keeps an experiment from running: ``{% load trouble %}``."""

from django import template

from dashboard.core.experiments.messages import Answer, ExperimentHead, ExperimentRef, Phase

register = template.Library()


@register.filter
def with_holders(answer: Answer) -> tuple[tuple[str, ExperimentRef | None], ...]:
    """The sentences of ``trouble``, each with the experiment that holds the port."""
    return tuple(zip(answer.trouble, answer.holders, strict=True))


@register.filter
def severity(_answer: Answer, head: ExperimentHead) -> str:
    """``bad`` if nothing runs, ``warn`` if an arm does."""
    return "bad" if head.phase is Phase.FAILED else "warn"
