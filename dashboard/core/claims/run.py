"""A run of claims: where each claim runs, its result, and the run as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dashboard.core.claims.model import Claim, Judgement, Need, Topic
from dashboard.core.comparison.text_table import printable
from dashboard.core.reports.model import ClaimResult, ClaimVerdict

#: Needs that require a private host: the claim uses ports that the reader's own programs may hold, changes files, or
#: starts a further private host with options of dockerd.
NOT_HARMLESS = frozenset({Need.ALONE, Need.PORT_80, Need.PRIVATE, Need.OWN_HOST, Need.MEASURE})
#: The number of claims that run at the same time.
MAX_CONCURRENT = 3
#: A symbol for each verdict: neither colour nor the word alone carries it.
SYMBOLS = {ClaimVerdict.HOLDS: "✓", ClaimVerdict.DIFFERS: "≠", ClaimVerdict.NOT_TESTABLE: "?"}


class ClaimState(StrEnum):
    """The state of a claim during a run."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class ExecutedClaim:
    """One executed claim with everything needed to read its result later. A ``claims/1`` document is a list of these.

    ``engine`` describes the engine on which the claim ran. ``lines`` are the commands. ``left`` lists what the claim
    created but Netmodes could not remove, with the Engine's messages. ``condition`` is empty if the usual statement
    applies to the engine. Otherwise it describes the engines for which the claim makes an exception, such as ``before
    Engine 25.0``.
    """

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
    condition: str = ""

    @classmethod
    def from_judgement(
        cls, claim: Claim, judgement: Judgement, *, engine: str = "", seconds: float = 0.0, left: Sequence[str] = ()
    ) -> ExecutedClaim:
        """Combines a claim with its judgement."""
        return cls(
            id=claim.id,
            topic=claim.topic,
            statement=claim.statement,
            source=claim.source,
            verdict=judgement.verdict,
            evidence=judgement.evidence,
            reason=judgement.reason,
            exact=claim.exact,
            lines=claim.shown_lines,
            engine=engine,
            seconds=round(seconds, 3),
            left=tuple(left),
            condition=claim.condition,
        )

    @property
    def result(self) -> ClaimResult:
        """The result in the form in which reports store it."""
        return ClaimResult(
            self.id,
            self.statement,
            self.source,
            self.verdict,
            self.evidence,
            self.reason,
            self.condition,
            self.engine,
        )


@dataclass(frozen=True, slots=True)
class ClaimsRun:
    """The results of one run, in the order of the claims."""

    results: tuple[ExecutedClaim, ...]
    seconds: float = 0.0
    engines: tuple[str, ...] = ()

    @property
    def left(self) -> tuple[str, ...]:
        """What the claims of the run created and Netmodes could not remove."""
        return tuple(left for result in self.results for left in result.left)


@dataclass(frozen=True, slots=True)
class Plan:
    """Where each claim of a run is executed.

    ``harmless`` claims run on any engine. ``shared`` claims run concurrently on one private host. They include claims
    that start a host of their own (``Need.OWN_HOST``), because these are about the engine of private hosts, not about
    the user's. ``quiet`` claims measure times, so they run on the same host after the ``shared`` ones, one at a time.
    ``alone`` claims run on a second private host, one at a time.
    """

    harmless: tuple[Claim, ...] = ()
    shared: tuple[Claim, ...] = ()
    alone: tuple[Claim, ...] = ()
    quiet: tuple[Claim, ...] = ()


def make_plan(claims: Iterable[Claim]) -> Plan:
    """Groups claims by their needs into a plan."""
    groups: dict[str, list[Claim]] = {"harmless": [], "shared": [], "alone": [], "quiet": []}
    for claim in claims:
        if Need.MEASURE in claim.needs:
            groups["quiet"].append(claim)
        elif Need.ALONE in claim.needs:
            groups["alone"].append(claim)
        else:
            groups["shared" if claim.needs & NOT_HARMLESS else "harmless"].append(claim)
    return Plan(**{name: tuple(group) for name, group in groups.items()})


def exclusive_ports(claim: Claim) -> tuple[int, ...]:
    """Returns the ports of the machine that no other claim may use while this one runs."""
    return (80,) if Need.PORT_80 in claim.needs else ()


def choose(claims: Sequence[Claim], ids: Sequence[str]) -> tuple[Claim, ...]:
    """Returns the claims with these ids, or all claims if ``ids`` is empty. For an unknown id it raises ValueError with
    the list of known ids."""
    known = {claim.id for claim in claims}
    unknown = [identity for identity in ids if identity not in known]
    if unknown:
        choices = ", ".join(claim.id for claim in claims)
        raise ValueError(f"There is no claim {', '.join(unknown)}: choose from {choices}.")
    return tuple(claim for claim in claims if not ids or claim.id in ids)


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """The number of claims with each verdict."""

    holds: int = 0
    differs: int = 0
    not_testable: int = 0

    @property
    def sentence(self) -> str:
        """The counts as text: ``70 confirmed, 1 differs, 2 not testable here``."""
        parts = [f"{self.holds} confirmed"]
        parts += [f"{self.differs} differ{'s' if self.differs == 1 else ''}"] if self.differs else []
        parts += [f"{self.not_testable} not testable here"] if self.not_testable else []
        return ", ".join(parts)


def count_verdicts(verdicts: Iterable[ClaimVerdict]) -> VerdictCount:
    """Counts the claims with each verdict."""
    given = list(verdicts)
    return VerdictCount(
        holds=given.count(ClaimVerdict.HOLDS),
        differs=given.count(ClaimVerdict.DIFFERS),
        not_testable=given.count(ClaimVerdict.NOT_TESTABLE),
    )


def run_text(run: ClaimsRun, *, everything: bool = False) -> str:
    """Formats a run for a terminal, by topic, with the evidence of the claims that differ. If ``everything`` is true,
    each claim has its evidence, engine, duration and source."""
    return "\n".join(printable(line) for line in _text_lines(run, everything)) + "\n"


def _text_lines(run: ClaimsRun, everything: bool) -> Iterator[str]:
    detail = " " * 17
    for topic in Topic:
        results = [result for result in run.results if result.topic is topic]
        if not results:
            continue
        yield str(topic)
        for result in results:
            yield f"  {SYMBOLS[result.verdict]} {result.verdict.word:<12} {result.id}: {result.statement}"
            if result.condition:
                yield f"{detail}This applies {result.condition}."
            if result.reason:
                yield detail + result.reason
            if everything or result.verdict is ClaimVerdict.DIFFERS:
                yield from (detail + line for line in result.evidence)
            if everything:
                yield f"{detail}on {result.engine}, {result.seconds:.1f} s; source: {result.source}"
        yield ""
    yield f"{count_verdicts(result.verdict for result in run.results).sentence}, in {run.seconds:.1f} s."
    yield from (f"On {engine}." for engine in run.engines)
    yield from (f"Left over: {left}" for left in run.left)
