"""The vocabulary of checks: what a step of a workshop may ask of an observation. ``docs/workshops.md`` documents it.

Every check is a pure function of what the kernel and the Engine show; none reads what a command printed.
"""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.core.workshops.checks import containers as container_checks
from dashboard.core.workshops.checks import namespaces as namespace_checks
from dashboard.core.workshops.checks.check_types import Check, Finding, Kind
from dashboard.core.workshops.observation import Observation

VOCABULARY: Mapping[str, Kind] = {**container_checks.KINDS, **namespace_checks.KINDS}
#: Checks of something that happens and passes: once seen it stays true.
EVENTS = frozenset({"requested"})


def judge(check: Check, observation: Observation) -> Finding:
    """What comes of one check."""
    return VOCABULARY[check.kind].judge(check.arguments, observation)
