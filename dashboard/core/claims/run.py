"""A run of claims: which claim needs what ground, what became of each, and how that is said on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from dashboard.core.claims.model import Claim, Judgement, Need, Topic, by_statement
from dashboard.core.comparison.text_table import printable
from dashboard.core.reports.model import ClaimResult, ClaimVerdict

#: What makes a claim one for a private host: it takes ports that a reader's own programs may hold, or changes files.
NOT_HARMLESS = frozenset({Need.ALONE, Need.PORT_80, Need.PRIVATE, Need.MEASURE})


class Step(StrEnum):
    """How far a claim is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Executed:
    """One claim as it was executed: ``claims/1`` is a list of these. ``engine`` says on which engine it ran;
    ``lines`` are what was typed; ``left`` what could not be removed, in the Engine's words."""

    id: str
    topic: Topic
    statement: str
    source: str
    verdict: ClaimVerdict
    evidence: tuple[str, ...] = ()
    reason: str = ""
    exact: str = ""
    lines: tuple[str, ...] = ()
    engine: str = ""
    seconds: float = 0.0
    left: tuple[str, ...] = ()

    @property
    def result(self) -> ClaimResult:
        """As it stands in a report."""
        return ClaimResult(self.id, self.statement, self.source, self.verdict, self.evidence, self.reason)


@dataclass(frozen=True, slots=True)
class ClaimsRun:
    """Everything that one run found, in the order of the statements."""

    results: tuple[Executed, ...]
    seconds: float = 0.0
    engines: tuple[str, ...] = ()

    @property
    def left(self) -> tuple[str, ...]:
        """What is left over, of all."""
        return tuple(one for result in self.results for one in result.left)


@dataclass(frozen=True, slots=True)
class Plan:
    """What runs where: ``harmless`` on any engine; ``shared`` beside others, ``alone`` and ``quiet`` on a private host.
    Timings come last."""

    harmless: tuple[Claim, ...] = ()
    shared: tuple[Claim, ...] = ()
    alone: tuple[Claim, ...] = ()
    quiet: tuple[Claim, ...] = ()

    @property
    def needs_private(self) -> bool:
        """Whether there is anything that runs on private hosts only."""
        return bool(self.shared or self.alone or self.quiet)


def make_plan(claims: Iterable[Claim]) -> Plan:
    """Sorts claims by what they need."""
    groups: dict[str, list[Claim]] = {"harmless": [], "shared": [], "alone": [], "quiet": []}
    for claim in claims:
        if Need.MEASURE in claim.needs:
            groups["quiet"].append(claim)
        elif Need.ALONE in claim.needs:
            groups["alone"].append(claim)
        else:
            groups["shared" if claim.needs & NOT_HARMLESS else "harmless"].append(claim)
    return Plan(**{name: tuple(found) for name, found in groups.items()})


def ports_of(claim: Claim) -> tuple[int, ...]:
    """Ports of the machine that no other claim may use at the same time."""
    return (80,) if Need.PORT_80 in claim.needs else ()


def choose(claims: Sequence[Claim], ids: Sequence[str]) -> tuple[Claim, ...]:
    """The claims of these ids, all where none is given; ValueError with what there is."""
    known = {claim.id: claim for claim in claims}
    unknown = [one for one in ids if one not in known]
    if unknown:
        raise ValueError(f"There is no claim {', '.join(unknown)}: choose among {', '.join(known)}.")
    return tuple(claim for claim in claims if not ids or claim.id in ids)


def executed(
    claim: Claim, judgement: Judgement, *, engine: str = "", seconds: float = 0.0, left: Sequence[str] = ()
) -> Executed:
    """What became of a claim, with everything needed to read it later."""
    return Executed(
        claim.id,
        claim.topic,
        claim.statement,
        claim.source,
        judgement.verdict,
        judgement.evidence,
        judgement.reason,
        claim.exact,
        claim.shown_lines,
        engine,
        round(seconds, 3),
        tuple(left),
    )


@dataclass(frozen=True, slots=True)
class Count:
    """How many came out how."""

    holds: int = 0
    differs: int = 0
    not_testable: int = 0

    @property
    def sentence(self) -> str:
        """``70 hold, 1 differs, 2 cannot be tested here``."""
        words = [f"{self.holds} hold{'s' if self.holds == 1 else ''}"]
        words += [f"{self.differs} differ{'s' if self.differs == 1 else ''}"] if self.differs else []
        words += [f"{self.not_testable} cannot be tested here"] if self.not_testable else []
        return ", ".join(words)


def count(verdicts: Iterable[ClaimVerdict]) -> Count:
    """Counts verdicts."""
    found = list(verdicts)
    return Count(*(found.count(one) for one in (ClaimVerdict.HOLDS, ClaimVerdict.DIFFERS, ClaimVerdict.NOT_TESTABLE)))


#: A letter shape beside each word, so that neither colour nor the word alone tells.
MARKS = {ClaimVerdict.HOLDS: "✓", ClaimVerdict.DIFFERS: "≠", ClaimVerdict.NOT_TESTABLE: "?"}


@dataclass(slots=True)
class _Text:
    lines: list[str] = field(default_factory=list)

    def add(self, line: str, indent: int = 0) -> None:
        self.lines.append(" " * indent + printable(line))


def run_text(run: ClaimsRun, *, everything: bool = False) -> str:
    """For a terminal: by statement; evidence of those that differ, or of all."""
    text = _Text()
    topics = {topic: [one for one in run.results if one.topic is topic] for topic in Topic}
    for topic, found in topics.items():
        if not found:
            continue
        text.add(str(topic))
        for one in found:
            text.add(f"{MARKS[one.verdict]} {one.verdict:<12} {one.id}: {one.statement}", 2)
            if one.reason:
                text.add(one.reason, 17)
            if everything or one.verdict is ClaimVerdict.DIFFERS:
                for line in one.evidence:
                    text.add(line, 17)
            if everything:
                text.add(f"on {one.engine}, {one.seconds:.1f} s; source: {one.source}", 17)
        text.add("")
    text.add(f"{count(one.verdict for one in run.results).sentence}, in {run.seconds:.1f} s.")
    for engine in run.engines:
        text.add(f"On {engine}.")
    for line in run.left:
        text.add(f"Left over: {line}")
    return "\n".join(text.lines) + "\n"


def in_order(claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """By statement, as they are shown."""
    return tuple(claim for found in by_statement(claims).values() for claim in found)
