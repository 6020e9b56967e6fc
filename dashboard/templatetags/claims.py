"""Filters for the pages of claims: ``{% load claims %}``."""

from django import template
from django.utils.translation import gettext as _

from dashboard.core.claims.model import Topic
from dashboard.core.claims.run import SYMBOLS
from dashboard.core.reports.model import ClaimVerdict
from dashboard.templatetags.measurements import state_words

register = template.Library()


@register.filter
def claim_word(verdict: str) -> str:
    """The verdict for a person."""
    words = {
        ClaimVerdict.HOLDS: _("confirmed"),
        ClaimVerdict.DIFFERS: _("differs"),
        ClaimVerdict.NOT_TESTABLE: _("not testable here"),
    }
    return words.get(ClaimVerdict(verdict), verdict) if verdict else _("not run yet")


@register.filter
def claim_mark(verdict: str) -> str:
    """A symbol for each verdict."""
    return SYMBOLS[ClaimVerdict(verdict)] if verdict else "·"


@register.filter
def topic_title(topic: str) -> str:
    """The title of a topic."""
    titles = {
        Topic.ISOLATION: _("No network isolation, and what stays isolated"),
        Topic.PERFORMANCE: _("Performance, path by path"),
        Topic.PUBLISHING: _("Ports: -p and -P, listeners, and how a request arrives"),
        Topic.INTERFERENCE: _("Conflicts between containers and with the machine"),
        Topic.DNS: _("DNS, hosts file and names"),
        Topic.WHEN: _("Where it works, and what is refused"),
        Topic.BRIDGE: _("The other modes"),
        Topic.LIFECYCLE: _("Stopping, removing, counting"),
    }
    return titles[Topic(topic)]


@register.filter
def claims_state(state: str) -> str:
    """The state of a run for a person."""
    return state_words().get(state, state)
