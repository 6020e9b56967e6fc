"""Queries of claim runs, from the request to the stored results."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet

from dashboard.core.claims.run import ClaimState, ExecutedClaim, VerdictCount
from dashboard.core.reports.model import ClaimResult, ClaimVerdict
from dashboard.models import ClaimOutcome, ClaimRun
from dashboard.store.experiments import is_alive, this_process
from dashboard.store.machines import here
from dashboard.store.operations.audit import audited, creates

WAITING, RUNNING = "waiting", "running"
FINISHED, CANCELLED, FAILED, INCOMPLETE = "finished", "cancelled", "failed", "incomplete"
LIVE = (WAITING, RUNNING)
#: The number of ended runs that remain when a new one is created. Runs with the newest result of a claim remain, too.
MAX_KEPT = 200


@dataclass(frozen=True, slots=True)
class QueuedRun:
    """A claim run that has not started. ``claims`` are the ids of its claims, in the order requested."""

    id: str
    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state of one claim in a run. ``executed`` is the claim's result, None until it is done. ``at`` is when the
    run was created. ``live`` is true until the run has ended."""

    claim: str
    run: str
    step: ClaimState
    at: datetime
    executed: ExecutedClaim | None = None
    live: bool = False


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A claim run as lists show it, without the results of its claims. ``asked`` is the number of its claims. ``done``
    is the number of claims that were executed. ``count`` has the number of claims by verdict. ``wanted`` is
    ``cancelled`` after a request to cancel the run."""

    id: str
    state: str
    wanted: str
    created_at: datetime
    elapsed_s: float
    asked: int
    done: int
    count: VerdictCount
    engines: tuple[str, ...]
    misconception: str = ""
    prediction: str = ""
    problem: str = ""
    owner: int | None = None

    @property
    def live(self) -> bool:
        """Whether the run is waiting or running."""
        return self.state in LIVE


@creates
def create_run(
    claims: Sequence[str],
    owner_id: int | None = None,
    *,
    misconception: str = "",
    prediction: str = "",
    driven: bool = False,
    host: str = "",
    group: str = "",
    machine: str | None = None,
) -> str:
    """Queues a run of these claims and returns its id. Also deletes the ended runs outside training sessions, except
    the newest ``MAX_KEPT`` and those with the newest result of a claim.

    ``misconception`` is the id of the misconception that the run tests. ``prediction`` is the index of the choice that
    the user predicted. If ``driven`` is true, this process executes the run. Otherwise the lab of ``machine`` does, by
    default the lab of this machine.

    If the run belongs to a training session, ``host`` is the id of the private host, and ``group`` is the key of the
    group. Otherwise both are empty.
    """
    with transaction.atomic():
        # Runs of a training session are deleted with the session.
        done = ClaimOutcome.objects.filter(run__group="", run__misconception="", step=ClaimState.DONE)
        newest = done.values("claim").annotate(last=Max("pk")).values("last")
        shown = ClaimOutcome.objects.filter(pk__in=newest).values("run")
        over = ClaimRun.objects.filter(group="").exclude(state__in=LIVE).exclude(pk__in=shown)
        old = over.order_by("-created_at").values_list("pk", flat=True)[MAX_KEPT:]
        ClaimRun.objects.filter(pk__in=list(old)).delete()
        row = ClaimRun.objects.create(
            owner_id=owner_id,
            misconception=misconception,
            prediction=prediction,
            driver=this_process() if driven else "",
            machine_id=machine or here(),
            host=host,
            group=group,
        )
        ClaimOutcome.objects.bulk_create(
            ClaimOutcome(run=row, claim=claim, position=number) for number, claim in enumerate(claims)
        )
    return str(row.pk)


def hosts_with_queued_runs() -> frozenset[str]:
    """The ids of this machine's private hosts on which a claim run waits for the lab. Only training sessions run claims
    on private hosts."""
    rows = ClaimRun.objects.filter(machine=here(), state=WAITING, driver="").exclude(host="")
    return frozenset(rows.values_list("host", flat=True))


def _queued(host: str) -> QuerySet[ClaimRun]:
    """This machine's queued runs on one host: a private host's id, empty for the machine's own engine."""
    return ClaimRun.objects.filter(machine=here(), state=WAITING, driver="", host=host)


def cancel_queued(host: str = "") -> None:
    """Gives the state ``cancelled`` to the queued runs of a host whose cancellation was requested."""
    _queued(host).filter(wanted=CANCELLED).update(state=CANCELLED)


def load_queued(host: str = "") -> tuple[QueuedRun, ...]:
    """The queued runs that the lab of this machine must execute on one host, oldest first."""
    return tuple(
        QueuedRun(str(row.pk), tuple(outcome.claim for outcome in row.outcomes.all()))
        for row in _queued(host).order_by("created_at").prefetch_related("outcomes")
    )


def mark_running(run: str) -> None:
    """Sets the state ``running`` and records that this process drives the run."""
    ClaimRun.objects.filter(pk=run).update(state=RUNNING, driver=this_process())


def record_state(run: str, claim: str, state: ClaimState, executed: ExecutedClaim | None) -> None:
    """Stores the state of a claim in a run. ``executed`` is the result of the claim, None until the claim is done."""
    ClaimOutcome.objects.filter(run_id=run, claim=claim).update(
        step=str(state),
        verdict=str(executed.verdict) if executed is not None else "",
        executed=msgspec.json.encode(executed).decode() if executed is not None else "",
    )


def finish(run: str, state: str, elapsed_s: float, engines: Sequence[str] = (), problem: str = "") -> None:
    """Stores how a run ended. ``engines`` describes the engines that executed claims, and ``problem`` is the reason if
    the run failed. Claims that were not executed keep their state."""
    ClaimRun.objects.filter(pk=run).update(
        state=state,
        driver="",
        elapsed_s=elapsed_s,
        engines=msgspec.json.encode(list(engines)).decode(),
        problem=problem,
    )


def fail_unstored(run: str) -> None:
    """Marks a run as failed whose end this process could not store. Does nothing to a run that is queued or ended."""
    rows = ClaimRun.objects.filter(pk=run, state=RUNNING, driver=this_process())
    rows.update(state=FAILED, driver="", problem="The database did not answer when the run ended: results may be lost.")


@audited
def request_cancel(run: str) -> bool:
    """Requests the cancellation of a run. Returns False if the run is neither queued nor running."""
    return ClaimRun.objects.filter(pk=run, state__in=LIVE).update(wanted=CANCELLED) == 1


def is_cancelled(run: str) -> bool:
    """Whether the cancellation of the run was requested."""
    return ClaimRun.objects.filter(pk=run, wanted=CANCELLED).exists()


def exists(run: str) -> bool:
    """Whether the run exists."""
    return ClaimRun.objects.filter(pk=run).exists()


def mark_incomplete() -> int:
    """Gives the state ``incomplete`` to this machine's runs whose process died before their end; returns how many."""
    driven = ClaimRun.objects.filter(machine=here(), state__in=LIVE).exclude(driver="")
    dead = [row.pk for row in driven if not is_alive(row.driver)]
    problem = "The process that executed this run ended unexpectedly."
    return ClaimRun.objects.filter(pk__in=dead).update(state=INCOMPLETE, driver="", problem=problem)


def driven_runs() -> set[str]:
    """The ids of this machine's unfinished runs whose process is alive. Their containers must not be removed."""
    driven = ClaimRun.objects.filter(machine=here(), state__in=LIVE).exclude(driver="")
    return {str(row.pk) for row in driven if is_alive(row.driver)}


def _outcome(row: ClaimOutcome) -> Outcome:
    executed = msgspec.json.decode(row.executed, type=ExecutedClaim) if row.executed else None
    run = row.run
    return Outcome(row.claim, str(row.run_id), ClaimState(row.step), run.created_at, executed, run.state in LIVE)


def outcomes(run: str) -> tuple[Outcome, ...]:
    """The outcome of each claim of a run, in the order requested."""
    return tuple(_outcome(row) for row in ClaimOutcome.objects.filter(run_id=run).select_related("run"))


def newest_outcomes(group: str = "") -> dict[str, Outcome]:
    """Returns the newest outcome of each claim, by claim id. In a queued or running run, every claim has an outcome,
    even before it is executed. In an ended run, only the executed claims have one. Claims without an outcome are
    omitted. Runs of misconceptions are ignored. ``group`` is the key of the training session's group whose runs are
    used. If it is empty, the runs outside training sessions are used."""
    candidates = ClaimOutcome.objects.filter(run__group=group, run__misconception="")
    relevant = candidates.filter(Q(step=ClaimState.DONE) | Q(run__state__in=LIVE))
    newest = relevant.values("claim").annotate(last=Max("pk"))
    rows = ClaimOutcome.objects.filter(pk__in=[row["last"] for row in newest]).select_related("run")
    return {row.claim: _outcome(row) for row in rows}


def recorded_seconds() -> dict[str, float]:
    """The duration in seconds of the newest execution of each claim, by claim id."""
    done = ClaimOutcome.objects.filter(step=ClaimState.DONE).exclude(executed="")
    newest = [row["last"] for row in done.values("claim").annotate(last=Max("pk"))]
    rows = ClaimOutcome.objects.filter(pk__in=newest).values_list("claim", "executed")
    return {claim: msgspec.json.decode(text, type=ExecutedClaim).seconds for claim, text in rows}


def results(run: str) -> tuple[ClaimResult, ...]:
    """The results of the executed claims of a run, in the form in which a report stores them."""
    return tuple(outcome.executed.result for outcome in outcomes(run) if outcome.executed is not None)


def load_run(run: str) -> RunSummary | None:
    """The summary of a run; None if the run does not exist."""
    row = _with_counts().filter(pk=run).first()
    return None if row is None else _summary(row)


def _with_counts() -> QuerySet[ClaimRun]:
    """A query for runs, each with the number of its claims, of its executed claims, and of its claims by verdict."""
    verdicts = {
        verdict.name.lower(): Count("outcomes", filter=Q(outcomes__verdict=verdict)) for verdict in ClaimVerdict
    }
    done = Count("outcomes", filter=Q(outcomes__step=ClaimState.DONE))
    return ClaimRun.objects.annotate(asked=Count("outcomes"), done=done, **verdicts)


def list_runs(limit: int = 20, misconception: str | None = "", group: str = "") -> tuple[RunSummary, ...]:
    """Returns the newest runs, newest first, at most ``limit``. ``misconception`` is the id of the misconception whose
    runs are listed. An empty text lists only the runs that test no misconception; None lists all runs. ``group`` is the
    key of the training session's group whose runs are listed. If it is empty, the runs outside training sessions are
    listed."""
    rows = _with_counts().filter(group=group).order_by("-created_at")
    if misconception is not None:
        rows = rows.filter(misconception=misconception)
    return tuple(_summary(row) for row in rows[:limit])


def misconceptions_tried() -> set[str]:
    """The ids of the misconceptions for which a run is stored."""
    return set(ClaimRun.objects.exclude(misconception="").values_list("misconception", flat=True))


def live_run(group: str = "") -> RunSummary | None:
    """The oldest claim run that is queued or running; None if no run is queued or running. Runs of misconceptions are
    ignored. ``group`` is the key of a training session's group; empty for runs outside training sessions."""
    row = _with_counts().filter(state__in=LIVE, misconception="", group=group).order_by("created_at").first()
    return None if row is None else _summary(row)


def session_runs(session: str) -> tuple[RunSummary, ...]:
    """Returns the runs of a training session's groups, oldest first."""
    rows = _with_counts().filter(group__startswith=f"{session}-").order_by("created_at")
    return tuple(_summary(row) for row in rows)


def _summary(row: Any) -> RunSummary:
    return RunSummary(
        id=str(row.pk),
        state=row.state,
        wanted=row.wanted,
        created_at=row.created_at,
        elapsed_s=row.elapsed_s,
        asked=row.asked,
        done=row.done,
        count=VerdictCount(row.holds, row.differs, row.not_testable),
        engines=tuple(msgspec.json.decode(row.engines, type=list[str])),
        misconception=row.misconception,
        prediction=row.prediction,
        problem=row.problem,
        owner=row.owner_id,
    )
