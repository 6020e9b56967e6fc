"""What the templates of claims need."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext as _

from dashboard.core.claims.model import Topic
from dashboard.core.claims.run import MARKS
from dashboard.core.reports.model import ClaimVerdict
from dashboard.templatetags.measurements import state_words

register = template.Library()


@register.filter
def claim_word(verdict: str) -> str:
    """The verdict for a person."""
    words = {
        ClaimVerdict.HOLDS: _("holds"),
        ClaimVerdict.DIFFERS: _("differs"),
        ClaimVerdict.NOT_TESTABLE: _("not testable here"),
    }
    return words.get(ClaimVerdict(verdict), verdict) if verdict else _("not executed yet")


@register.filter
def claim_mark(verdict: str) -> str:
    """A sign of its own for each verdict, beside the word."""
    return MARKS[ClaimVerdict(verdict)] if verdict else "·"


@register.filter
def topic_title(topic: str) -> str:
    """The statement of the workshop that the claims belong to."""
    titles = {
        Topic.ISOLATION: _("No network isolation, and what stays isolated"),
        Topic.PERFORMANCE: _("Better performance, path by path"),
        Topic.PUBLISHING: _("Ports: -p and -P, who listens, how a request arrives"),
        Topic.INTERFERENCE: _("Containers can interfere with each other and with the machine"),
        Topic.DNS: _("DNS, hosts file and names"),
        Topic.WHEN: _("Where it works, and what is refused"),
        Topic.BRIDGE: _("What the other modes do instead"),
        Topic.LIFECYCLE: _("Stopping, removing, counting"),
    }
    return titles[Topic(topic)]


@register.filter
def claims_state(state: str) -> str:
    """The state of a run for a person."""
    return state_words().get(state, state)
