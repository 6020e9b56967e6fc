"""The team shape in rules: which part a process plays, when a lab counts as away, how long to wait for an answer.

No clock: times are arguments, in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from dashboard.core.experiments.messages import EngineRef
from dashboard.core.operations.heartbeat import SILENT_S, Heartbeat

#: How often a lab says that it is there, and after how long a silence it counts as away.
BEAT_S = 2.0
AWAY_S = 7.0
#: A lab that was heard of so lately is healthy.
HEALTHY_S = 15.0
#: How long somebody waits for the answer to a question, and between two looks whether it is there.
ANSWER_S = 60.0
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 0.5
#: Answers that nobody has fetched are forgotten after so long.
KEPT_S = 600.0

NEVER = "No lab has been here yet: start one with ./netmodes up --role lab on the Docker machine."
AWAY = "The lab on the Docker machine does not answer just now. What runs goes on; try again in a moment."
NO_ANSWER = "The lab on the Docker machine has not answered in time. Try again in a moment."
UNHEARD = "No Docker Engine answers."


class Role(StrEnum):
    """What a process does: pages (``web``), Docker (``lab``), or both (``all``)."""

    ALL = "all"
    WEB = "web"
    LAB = "lab"

    @property
    def serves(self) -> bool:
        """Whether it answers browsers."""
        return self is not Role.LAB

    @property
    def drives(self) -> bool:
        """Whether it speaks to Docker and the kernel."""
        return self is not Role.WEB


def role_of(text: str) -> Role:
    """The role of this name; ValueError with a sentence."""
    try:
        return Role(text)
    except ValueError:
        raise ValueError(f"“{text[:40]}” is no role: choose all, web or lab.") from None


@dataclass(frozen=True, slots=True)
class LabFacts:
    """What the pages show of a lab: its engine, or why it has none. ``heart`` is how it is and what it has counted, for
    ``/readyz`` and ``/metrics`` (``lab.reconciler.Lab.heartbeat``); its ``at`` is by the clock of the lab's machine."""

    engine: EngineRef | None = None
    problem: str = ""
    heart: Heartbeat | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard of a lab: its facts, the number of its newest beat, and when that was new here."""

    number: int
    at: float
    facts: LabFacts = LabFacts()


def hear(before: Heard | None, number: int, age_s: float, facts: LabFacts, now: float) -> Heard:
    """A look at a lab's row. Its age, by the clocks of two machines, counts only for who has not looked before."""
    if before is not None and before.number == number:
        return Heard(number, before.at, facts)
    old = before is None and age_s > HEALTHY_S
    return Heard(number, now - age_s if old else now, facts)


def facts_now(heard: Heard | None, now: float) -> LabFacts:
    """What is known of the lab; without an engine if it is away."""
    if heard is None:
        return LabFacts(None, NEVER)
    if heard.number == 0 or now - heard.at > AWAY_S:
        return LabFacts(None, AWAY)
    return heard.facts


def heart_of(heard: Heard | None, now: float, epoch: float) -> Heartbeat | None:
    """How the lab was when it was heard of last, by this machine's clock (``epoch`` is ``now`` in seconds of the
    epoch); one that counts as away is long silent."""
    if heard is None or heard.facts.heart is None:
        return None
    silent_s = now - heard.at
    if is_away(heard, now):
        silent_s = max(silent_s, SILENT_S + 1.0)
    return replace(heard.facts.heart, at=epoch - silent_s)


def is_away(heard: Heard | None, now: float) -> bool:
    """Whether nobody would take a question."""
    return heard is None or heard.number == 0 or now - heard.at > AWAY_S


def longer(pause_s: float) -> float:
    """The next pause between two looks for an answer."""
    return min(pause_s * 1.5, LONGEST_PAUSE_S)
