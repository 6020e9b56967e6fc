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
    """A claim with its outcome. ``private``: it runs on a private host; ``unavailable`` is the reason why it cannot be
    run from this page. After a run, ``statement`` is the judged statement, and ``condition`` names the engines that it
    is about; before a run, ``elsewhere`` contains the results expected of other engines."""

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
        """A text with the run, the step and the verdict, which changes whenever there is something new to show."""
        return f"{self.run}-{self.step}-{self.verdict}"

    @property
    def working(self) -> bool:
        """Whether the claim waits or is being executed."""
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
    """The claims of each topic that has any, in the order of the topics."""
    groups = [Group(topic, tuple(claim for claim in shown if claim.topic is topic)) for topic in Topic]
    return tuple(group for group in groups if group.claims)


def show_catalogue(newest: Mapping[str, Outcome]) -> list[ShownClaim]:
    """Every claim with its newest outcome."""
    return [_shown(claim, newest.get(claim.id)) for claim in all_claims()]


def show_run(outcomes: tuple[Outcome, ...]) -> list[ShownClaim]:
    """The claims of one run with their outcomes. A claim that this version does not know is shown as the run has
    recorded it."""
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
