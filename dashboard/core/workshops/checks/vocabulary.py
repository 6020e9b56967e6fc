"""All types of checks that a step of a workshop may use. ``docs/workshops.md`` documents them.

A check is a pure function of an observation of the kernel and the Engine. No check reads the output of a command.
"""

from collections.abc import Mapping

from dashboard.core.workshops.checks import containers as container_checks
from dashboard.core.workshops.checks import firewall as firewall_checks
from dashboard.core.workshops.checks import namespaces as namespace_checks
from dashboard.core.workshops.checks.check_types import Check, CheckType, Finding
from dashboard.core.workshops.observation import Observation

VOCABULARY: Mapping[str, CheckType] = {
    **container_checks.CHECK_TYPES,
    **namespace_checks.CHECK_TYPES,
    **firewall_checks.CHECK_TYPES,
}
#: Checks of transient events: once observed they stay true.
EVENTS = frozenset({"requested", "rule-dropped"})


def judge(check: Check, observation: Observation) -> Finding:
    """Decides whether a check holds for this observation."""
    return VOCABULARY[check.kind].judge(check.arguments, observation)
