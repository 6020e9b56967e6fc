"""Prepares claims for pages and the API."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.model import Claim, Topic
from dashboard.core.claims.run import NOT_HARMLESS, ClaimState
from dashboard.store.claim_runs import Outcome


@dataclass(frozen=True, slots=True)
class ShownClaim:
    """A claim as pages show it, with its outcome in one run.

    ``private`` is true if the claim runs on a private host. ``step`` is the state of the claim in the run
    (``ClaimState``); empty if there is no run, or if it ended before it executed the claim. ``unavailable`` is the
    reason why the claim cannot be run from this page. After its execution, ``statement`` is the statement that was
    judged, and ``condition`` names the engines to which it applies. Before, ``elsewhere`` contains sentences about
    engines on which the result differs.
    """

    id: str
    topic: Topic
    statement: str
    exact: str
    source: str
    lines: tuple[str, ...]
    private: bool = False
    step: str = ""
    verdict: str = ""
    reason: str = ""
    evidence: tuple[str, ...] = ()
    engine: str = ""
    seconds: float = 0.0
    run: str = ""
    at: datetime | None = None
    unavailable: str = ""
    condition: str = ""
    elsewhere: tuple[str, ...] = ()

    @property
    def stamp(self) -> str:
        """A text that changes with the claim's run, step and verdict, so that open pages update the claim."""
        return f"{self.run}-{self.step}-{self.verdict}"

    @property
    def working(self) -> bool:
        """Whether the claim waits for its execution or is being executed."""
        return self.step in {ClaimState.WAITING, ClaimState.RUNNING}


@dataclass(frozen=True, slots=True)
class Group:
    """The claims of one topic."""

    topic: Topic
    claims: tuple[ShownClaim, ...]


def _shown(claim: Claim, outcome: Outcome | None) -> ShownClaim:
    shown = ShownClaim(
        claim.id,
        claim.topic,
        claim.statement,
        claim.exact,
        claim.source,
        claim.shown_lines,
        bool(claim.needs & NOT_HARMLESS),
        elsewhere=tuple(expectation.sentence for expectation in claim.otherwise),
    )
    return shown if outcome is None else _with_outcome(shown, outcome)


def _with_outcome(shown: ShownClaim, outcome: Outcome) -> ShownClaim:
    step = str(outcome.step) if outcome.live or outcome.step is ClaimState.DONE else ""
    shown = replace(shown, step=step, run=outcome.run, at=outcome.at)
    executed = outcome.executed
    if executed is None:
        return shown
    return replace(
        shown,
        statement=executed.statement,
        exact=executed.exact,
        condition=executed.condition,
        elsewhere=(),
        verdict=str(executed.verdict),
        reason=executed.reason,
        evidence=executed.evidence,
        engine=executed.engine,
        seconds=executed.seconds,
    )


def group_by_topic(shown: list[ShownClaim]) -> tuple[Group, ...]:
    """Groups claims by topic, in the order of the topics. Topics without claims are omitted."""
    groups = [Group(topic, tuple(claim for claim in shown if claim.topic is topic)) for topic in Topic]
    return tuple(group for group in groups if group.claims)


def show_catalogue(newest: Mapping[str, Outcome]) -> list[ShownClaim]:
    """Returns all claims. ``newest`` contains the newest outcomes by claim id."""
    return [_shown(claim, newest.get(claim.id)) for claim in all_claims()]


def show_run(outcomes: tuple[Outcome, ...]) -> list[ShownClaim]:
    """Returns the claims of one run with their outcomes.

    A claim that this version does not know is shown as the run has recorded it; it is omitted if it was not executed.
    """
    known = {claim.id: claim for claim in all_claims()}
    shown = []
    for outcome in outcomes:
        claim, executed = known.get(outcome.claim), outcome.executed
        if claim is not None:
            shown.append(_shown(claim, outcome))
        elif executed is not None:
            fields = (executed.id, executed.topic, executed.statement, executed.exact, executed.source, executed.lines)
            shown.append(_with_outcome(ShownClaim(*fields), outcome))
    return shown
