"""Runs of claims in the database: wanted, followed, kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import Count as Number
from django.db.models import Max, Q, QuerySet

from dashboard.core.claims.run import Count, Executed, Step
from dashboard.core.reports.model import ClaimResult, ClaimVerdict
from dashboard.models import ClaimOutcome, ClaimRun
from dashboard.store.experiments import is_alive, this_process

WAITING, RUNNING = "waiting", "running"
FINISHED, CANCELLED, FAILED, INCOMPLETE = "finished", "cancelled", "failed", "incomplete"
LIVE = (WAITING, RUNNING)
#: Older runs are forgotten when a new one is asked for.
KEPT = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """A run as it is wanted: the claims' ids in order."""

    id: str
    claims: tuple[str, ...]
    misconception: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far a claim is in a run, and what became of it. ``at`` is when the run was asked for; ``live`` tells that the
    run waits or runs, so that what is not done will be."""

    claim: str
    run: str
    step: Step
    at: datetime
    executed: Executed | None = None
    live: bool = False


@dataclass(frozen=True, slots=True)
class Described:
    """A run without its outcomes, for a list."""

    id: str
    state: str
    wanted: str
    created_at: datetime
    elapsed_s: float
    asked: int
    done: int
    count: Count
    engines: tuple[str, ...]
    misconception: str = ""
    prediction: str = ""
    problem: str = ""

    @property
    def live(self) -> bool:
        """Whether it waits or runs."""
        return self.state in LIVE


def create_run(
    claims: Sequence[str],
    owner_id: int | None = None,
    *,
    misconception: str = "",
    prediction: str = "",
    driven: bool = False,
    host: str = "",
    group: str = "",
) -> str:
    """Writes that somebody wants these claims executed. ``driven``: by this process; ``host``, ``group``: of a class.
    Returns the run's id."""
    with transaction.atomic():
        # What a class ran stays as long as its session.
        over = ClaimRun.objects.filter(group="").exclude(state__in=LIVE)
        old = over.order_by("-created_at").values_list("pk", flat=True)[KEPT:]
        ClaimRun.objects.filter(pk__in=list(old)).delete()
        row = ClaimRun.objects.create(
            owner_id=owner_id,
            misconception=misconception,
            prediction=prediction,
            driver=this_process() if driven else "",
            host=host,
            group=group,
        )
        ClaimOutcome.objects.bulk_create(
            ClaimOutcome(run=row, claim=claim, position=number) for number, claim in enumerate(claims)
        )
    return str(row.pk)


def hosts_waiting() -> frozenset[str]:
    """The hosts of classes on which a run waits."""
    return frozenset(ClaimRun.objects.filter(state=WAITING, driver="").exclude(host="").values_list("host", flat=True))


def load_waiting(host: str = "") -> tuple[Asked, ...]:
    """Runs of one host that nobody drives yet, oldest first."""
    rows = (
        ClaimRun.objects.filter(state=WAITING, driver="", host=host).order_by("created_at").prefetch_related("outcomes")
    )
    return tuple(Asked(str(row.pk), tuple(one.claim for one in row.outcomes.all()), row.misconception) for row in rows)


def begin(run: str) -> None:
    """This process drives it now."""
    ClaimRun.objects.filter(pk=run).update(state=RUNNING, driver=this_process())


def note(run: str, claim: str, step: Step, executed: Executed | None) -> None:
    """How far a claim is."""
    ClaimOutcome.objects.filter(run_id=run, claim=claim).update(
        step=str(step),
        verdict=str(executed.verdict) if executed is not None else "",
        executed=msgspec.json.encode(executed).decode() if executed is not None else "",
    )


def finish(run: str, state: str, elapsed_s: float, engines: Sequence[str] = (), problem: str = "") -> None:
    """Writes how a run ended; claims that never ran stay as they were."""
    ClaimRun.objects.filter(pk=run).update(
        state=state,
        driver="",
        elapsed_s=elapsed_s,
        engines=msgspec.json.encode(list(engines)).decode(),
        problem=problem,
    )


def want_cancelled(run: str) -> bool:
    """Asks for the end of a run; False if it neither waits nor runs."""
    return ClaimRun.objects.filter(pk=run, state__in=LIVE).update(wanted=CANCELLED) == 1


def is_cancelled(run: str) -> bool:
    """Whether somebody asked for the end."""
    return ClaimRun.objects.filter(pk=run, wanted=CANCELLED).exists()


def exists(run: str) -> bool:
    """Whether there is such a run."""
    return ClaimRun.objects.filter(pk=run).exists()


def mark_incomplete() -> int:
    """Runs whose process has died are kept and marked; returns how many there were."""
    driven = ClaimRun.objects.filter(state__in=LIVE).exclude(driver="")
    dead = [row.pk for row in driven if not is_alive(row.driver)]
    problem = "The process that executed it ended before its time."
    return ClaimRun.objects.filter(pk__in=dead).update(state=INCOMPLETE, driver="", problem=problem)


def living() -> set[str]:
    """Runs that a living process drives: their containers are nobody's to remove."""
    driven = ClaimRun.objects.filter(state__in=LIVE).exclude(driver="")
    return {str(row.pk) for row in driven if is_alive(row.driver)}


def _outcome(row: ClaimOutcome) -> Outcome:
    executed = msgspec.json.decode(row.executed, type=Executed) if row.executed else None
    return Outcome(row.claim, str(row.run_id), Step(row.step), row.run.created_at, executed, row.run.state in LIVE)


def outcomes(run: str) -> tuple[Outcome, ...]:
    """What became of each claim of a run, in the order asked for."""
    return tuple(_outcome(row) for row in ClaimOutcome.objects.filter(run_id=run).select_related("run"))


def newest_outcomes(group: str = "") -> dict[str, Outcome]:
    """The newest outcome of every claim that was executed or soon will be, misconceptions left out; of a class's
    ``group``, or on the server's own engine."""
    there = ClaimOutcome.objects.filter(run__group=group, run__misconception="")
    counted = there.filter(Q(step=Step.DONE) | Q(run__state__in=LIVE))
    newest = counted.values("claim").annotate(last=Max("pk"))
    rows = ClaimOutcome.objects.filter(pk__in=[one["last"] for one in newest]).select_related("run")
    return {row.claim: _outcome(row) for row in rows}


def results(run: str) -> tuple[ClaimResult, ...]:
    """What a run found, as it stands in a report."""
    return tuple(one.executed.result for one in outcomes(run) if one.executed is not None)


def describe(run: str) -> Described | None:
    """One run for a list, None if there is none."""
    row = _counted().filter(pk=run).first()
    return None if row is None else _described(row)


def _counted() -> QuerySet[ClaimRun]:
    """Runs with the numbers of their outcomes: what was found is not read for a list."""
    verdicts = {one.name.lower(): Number("outcomes", filter=Q(outcomes__verdict=one)) for one in ClaimVerdict}
    done = Number("outcomes", filter=Q(outcomes__step=Step.DONE))
    return ClaimRun.objects.annotate(asked=Number("outcomes"), done=done, **verdicts)


def history(most: int = 20, misconception: str | None = "", group: str = "") -> tuple[Described, ...]:
    """The newest runs of claims, or of one misconception; of everything with None. ``group``: of a class."""
    rows = _counted().filter(group=group).order_by("-created_at")
    if misconception is not None:
        rows = rows.filter(misconception=misconception)
    return tuple(_described(row) for row in rows[:most])


def misconceptions_tried() -> set[str]:
    """The misconceptions that were run."""
    return set(ClaimRun.objects.exclude(misconception="").values_list("misconception", flat=True))


def live_run(group: str = "") -> Described | None:
    """The run of claims that waits or runs, the oldest of them. ``group``: of a class."""
    row = _counted().filter(state__in=LIVE, misconception="", group=group).order_by("created_at").first()
    return None if row is None else _described(row)


def of_session(session: str) -> tuple[tuple[str, str, Described], ...]:
    """The runs of a session's groups with the group's key and the claim where it was one alone, the oldest first."""
    rows: list[Any] = list(_counted().filter(group__startswith=f"{session}-").order_by("created_at"))
    alone = [row.pk for row in rows if row.asked == 1]
    claims = dict(ClaimOutcome.objects.filter(run_id__in=alone).values_list("run_id", "claim"))
    return tuple((row.group, claims.get(row.pk, ""), _described(row)) for row in rows)


def _described(row: Any) -> Described:
    return Described(
        str(row.pk),
        row.state,
        row.wanted,
        row.created_at,
        row.elapsed_s,
        row.asked,
        row.done,
        Count(row.holds, row.differs, row.not_testable),
        tuple(msgspec.json.decode(row.engines, type=list[str])),
        row.misconception,
        row.prediction,
        row.problem,
    )
