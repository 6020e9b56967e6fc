"""A claim: a sentence about a network mode that is executed, observed, and judged with evidence.

A claim in ``core.claims.catalogue`` has its statement, what it launches and reads (``observe``), and what that proves
(``judge``, a pure function). It uses an engine only through ``core.claims.testbed.Testbed``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from dashboard.core.claims.engine_facts import EngineCondition, EngineFacts
from dashboard.core.claims.lines import modes_of_lines, show_line
from dashboard.core.claims.testbed import Observe
from dashboard.core.modes import Mode
from dashboard.core.reports.model import ClaimVerdict


class Topic(StrEnum):
    """The six statements of the workshop, and two further topics."""

    ISOLATION = "isolation"
    PERFORMANCE = "performance"
    PUBLISHING = "publishing"
    INTERFERENCE = "interference"
    DNS = "dns"
    WHEN = "when"  # where it works, what is refused
    BRIDGE = "bridge"  # what the other modes do instead
    LIFECYCLE = "lifecycle"


class Need(StrEnum):
    """What a claim requires. Without any need it is harmless and runs on any engine."""

    ALONE = "alone"  # exclusive use of a private host: it changes files, or counts interfaces
    PORT_80 = "port-80"  # port 80 of a private host's machine
    PRIVATE = "private-host"  # ports that programs of the reader may hold, or the LAN of a private host
    OWN_HOST = "own-host"  # a private host with options of dockerd, started only for this claim
    IPV6 = "ipv6"
    MEASURE = "measure"  # a private host without other load: timings


@dataclass(frozen=True, slots=True)
class Judgement:
    """The outcome. ``evidence`` has the rows, inodes, rules or responses, one per line; ``reason`` is a sentence that
    explains why the claim differs or cannot be tested."""

    verdict: ClaimVerdict
    evidence: tuple[str, ...] = ()
    reason: str = ""


def holds(*evidence: str) -> Judgement:
    """The claim is true here."""
    return Judgement(ClaimVerdict.HOLDS, evidence)


def differs(reason: str, *evidence: str) -> Judgement:
    """The engine or the kernel did something else."""
    return Judgement(ClaimVerdict.DIFFERS, evidence, reason)


def not_testable(reason: str, *evidence: str) -> Judgement:
    """This machine lacks what the claim needs."""
    return Judgement(ClaimVerdict.NOT_TESTABLE, evidence, reason)


def holds_if(proved: bool, otherwise: str, *evidence: str) -> Judgement:
    """``holds`` if it is proved, else ``differs`` with the reason ``otherwise``."""
    return holds(*evidence) if proved else differs(otherwise, *evidence)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected instead on the engines that match ``on``: another statement with its judgement, or, with a
    sentence in ``not_testable``, none. ``mutation`` and ``exact`` replace those of the claim if they are given."""

    on: EngineCondition
    statement: str = ""
    judge: Callable[[Any], Judgement] | None = None
    exact: str = ""
    mutation: Mapping[str, str] | None = None
    not_testable: str = ""

    @property
    def sentence(self) -> str:
        """The statement with its condition: ``Before API 1.44: …``."""
        condition = self.on.text
        return f"{condition[:1].upper()}{condition[1:]}: {self.statement or 'not testable.'}"


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim. ``statement`` is a whole sentence; ``source`` names where it is documented.

    ``exact`` adds what the usual wording leaves out. ``lines`` are what a person would type to see it. ``mutation``
    replaces words of the lines so that the claim must come out as ``differs``: the proof that it can fail.

    ``otherwise`` has the expectations of engines that behave differently; the first that matches counts. ``on`` applies
    it: then ``condition`` tells which engines the statement is about, or ``not_testable`` why there is no statement.
    """

    id: str
    topic: Topic
    statement: str
    source: str
    observe: Observe
    judge: Callable[[Any], Judgement]
    lines: tuple[str, ...] = ()
    needs: frozenset[Need] = frozenset()
    exact: str = ""
    mutation: Mapping[str, str] = field(default_factory=dict)
    otherwise: tuple[Expectation, ...] = ()
    condition: str = ""
    not_testable: str = ""

    def on(self, facts: EngineFacts) -> Claim:
        """The claim with the first expectation of ``otherwise`` that matches this engine; unchanged if none matches."""
        expected = next((expectation for expectation in self.otherwise if expectation.on.matches(facts)), None)
        if expected is None:
            return self
        return replace(
            self,
            statement=expected.statement or self.statement,
            judge=expected.judge or self.judge,
            exact=expected.exact if expected.statement else self.exact,
            mutation=self.mutation if expected.mutation is None else expected.mutation,
            condition=expected.on.text,
            not_testable=expected.not_testable,
        )

    @property
    def modes(self) -> frozenset[Mode]:
        """The network modes that its lines use: an engine without one of them cannot run it."""
        return modes_of_lines(self.lines)

    @property
    def shown_lines(self) -> tuple[str, ...]:
        """The lines as a person types them."""
        return tuple(show_line(line) for line in self.lines)


def by_topic(claims: Sequence[Claim]) -> dict[Topic, tuple[Claim, ...]]:
    """The claims of each topic that has any, in the order of the topics."""
    groups = {topic: tuple(claim for claim in claims if claim.topic is topic) for topic in Topic}
    return {topic: group for topic, group in groups.items() if group}
