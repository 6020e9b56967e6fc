"""Claims: statements about a network mode that are executed and judged with evidence.

A claim in ``core.claims.catalogue`` has a statement and two functions. ``observe`` launches containers and reads their
state. ``judge`` decides from this observation whether the statement is true. Claims use an engine only through
``core.claims.testbed.Testbed``.
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
    """The topics of claims: common statements about host mode (docs/modes.md), and two further topics."""

    ISOLATION = "isolation"
    PERFORMANCE = "performance"
    PUBLISHING = "publishing"
    INTERFERENCE = "interference"
    DNS = "dns"
    WHEN = "when"  # where it works, what is refused
    BRIDGE = "bridge"  # what the other modes do instead
    LIFECYCLE = "lifecycle"


class Need(StrEnum):
    """What a claim needs. A claim without any need is harmless and runs on any engine."""

    ALONE = "alone"  # exclusive use of a private host: it changes files, or counts interfaces
    PORT_80 = "port-80"  # port 80 of a private host's machine
    PRIVATE = "private-host"  # ports that programs of the reader may hold, or the LAN of a private host
    OWN_HOST = "own-host"  # a private host with options of dockerd, started only for this claim
    IPV6 = "ipv6"
    MEASURE = "measure"  # a private host without other load: timings


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on a claim. ``evidence`` has one line for each row, inode, rule or response that was observed.
    ``reason`` is a sentence that explains why the claim differs or cannot be tested."""

    verdict: ClaimVerdict
    evidence: tuple[str, ...] = ()
    reason: str = ""


def holds(*evidence: str) -> Judgement:
    """Returns the judgement that the claim is true on this engine."""
    return Judgement(ClaimVerdict.HOLDS, evidence)


def differs(reason: str, *evidence: str) -> Judgement:
    """Returns the judgement that the engine or the kernel did not do what the claim states."""
    return Judgement(ClaimVerdict.DIFFERS, evidence, reason)


def not_testable(reason: str, *evidence: str) -> Judgement:
    """Returns the judgement that the claim could not be tested, and why."""
    return Judgement(ClaimVerdict.NOT_TESTABLE, evidence, reason)


def holds_if(proved: bool, otherwise: str, *evidence: str) -> Judgement:
    """Returns ``holds`` if ``proved`` is true, otherwise ``differs`` with the reason ``otherwise``."""
    return holds(*evidence) if proved else differs(otherwise, *evidence)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a claim expects on the engines that match the condition ``on``.

    An expectation with a ``statement`` replaces the claim's ``statement`` and its ``exact``, even by an empty
    ``exact``. ``judge`` and ``mutation`` replace those of the claim unless they are None. An expectation without a
    ``statement`` has ``not_testable``: a sentence that tells why the claim states nothing about these engines.
    """

    on: EngineCondition
    statement: str = ""
    judge: Callable[[Any], Judgement] | None = None
    exact: str = ""
    mutation: Mapping[str, str] | None = None
    not_testable: str = ""

    @property
    def sentence(self) -> str:
        """The statement after its condition: ``Before API 1.44: …``."""
        condition = self.on.text
        return f"{condition[:1].upper()}{condition[1:]}: {self.statement or 'not testable.'}"


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim.

    ``statement`` is a whole sentence. ``source`` names where it is documented. ``exact`` adds what the usual wording
    leaves out. ``lines`` are the commands with which a person sees that the statement is true.

    ``mutation`` maps words of the lines to replacements with which the verdict must be ``differs``. This proves that
    the claim can fail.

    ``otherwise`` has the expectations for engines that behave differently. The method ``on`` applies the first one that
    matches an engine. It also sets ``condition``, which describes the matching engines, and ``not_testable``, which is
    the reason if the claim states nothing about them.
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
        """Returns the claim as it applies to this engine: changed by the first matching expectation of ``otherwise``,
        unchanged if none matches."""
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
        """The network modes that ``lines`` use. An engine that lacks one of them cannot run the claim."""
        return modes_of_lines(self.lines)

    @property
    def shown_lines(self) -> tuple[str, ...]:
        """The lines as a person types them, without placeholders."""
        return tuple(show_line(line) for line in self.lines)


def by_topic(claims: Sequence[Claim]) -> dict[Topic, tuple[Claim, ...]]:
    """Groups claims by topic, in the order of the topics; topics without claims are left out."""
    groups = {topic: tuple(claim for claim in claims if claim.topic is topic) for topic in Topic}
    return {topic: group for topic, group in groups.items() if group}
