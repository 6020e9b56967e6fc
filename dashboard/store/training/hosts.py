"""The hosts of classes in the database: what is wanted, and what is. Every function is one short transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from django.db import transaction

from dashboard.core.experiments.lifecycle import Wanted as WantedExperiment
from dashboard.core.experiments.messages import Phase
from dashboard.core.modes import ExperimentSpec
from dashboard.core.training.capacity import HostLimits
from dashboard.core.training.group_quota import Work, WorkKind
from dashboard.core.training.host_plan import HostStage, Wanted, Wish
from dashboard.models import ClaimRun, Experiment, GroupHost, MeasurementRun, TrainingSession
from dashboard.store import claim_runs
from dashboard.store import measurements as measurement_store


class NoHostError(Exception):
    """This group can have no host; ``str()`` is a sentence."""


class RoomError(Exception):
    """There is no room for more on a group's host; ``str()`` is a sentence."""


def session_of(group: str) -> str:
    """The session of a group's key, ``SESSION-N``."""
    return group.rpartition("-")[0]


def _over(session: TrainingSession, now: float) -> bool:
    return bool(session.closed_at) or now >= session.expires_at


def _limits(session: TrainingSession) -> HostLimits:
    return HostLimits(session.memory_mb, session.pids, session.cpus)


def _wanted(row: GroupHost, now: float) -> Wanted:
    return Wanted(
        group=row.group,
        wish=Wish(row.wanted),
        stage=HostStage(row.state),
        host=row.host,
        since=row.since,
        used_at=row.used_at,
        ttl_s=row.session.ttl_s,
        idle_s=row.session.idle_s,
        over=_over(row.session, now),
        limits=_limits(row.session),
    )


def load_all(now: float) -> tuple[Wanted, ...]:
    """Every row about which there may be something to do."""
    rows = GroupHost.objects.exclude(wanted=Wish.STOPPED, state=HostStage.STOPPED, host="")
    return tuple(_wanted(row, now) for row in rows.select_related("session"))


def find(group: str, now: float) -> tuple[Wanted, str, str] | None:
    """A group's row with its socket and its reason, None if there is none."""
    row = GroupHost.objects.select_related("session").filter(pk=group).first()
    return None if row is None else (_wanted(row, now), row.socket, row.reason)


def hosts_wanted(now: float) -> bool:
    """Whether there is an open session with hosts: then the template should be there before the first asks."""
    sessions = TrainingSession.objects.filter(closed_at=0.0, expires_at__gt=now)
    return sessions.exclude(hosts="none").exists()


def ask_for(group: str, now: float) -> None:
    """A host is wanted for the group; one that failed stays so until it is reset. NoHostError if it can have none."""
    with transaction.atomic():
        session = TrainingSession.objects.filter(pk=session_of(group)).first()
        if session is None or session.hosts == "none":
            raise NoHostError("This session has no private hosts.")
        if _over(session, now):
            raise NoHostError("The session is over: there are no hosts any more.")
        fresh = {"session": session, "since": now, "used_at": now}
        row, made = GroupHost.objects.select_for_update().get_or_create(group=group, defaults=fresh)
        if not made and row.wanted == Wish.STOPPED:
            row.wanted, row.used_at = Wish.RUNNING, now
            if row.state == HostStage.STOPPED:
                row.state, row.since, row.reason = HostStage.QUEUED, now, ""
            row.save()


def want(group: str, wish: Wish) -> bool:
    """Writes what is wanted; False if the group has no host."""
    return GroupHost.objects.filter(pk=group).update(wanted=str(wish)) > 0


def note(group: str, **fields: Any) -> None:
    """Writes what is."""
    GroupHost.objects.filter(pk=group).update(**fields)


def note_end(group: str, was: Wish, stage: HostStage, wish: Wish, reason: str, now: float) -> None:
    """The host is gone; ``wish`` is what is wanted from now on, unless somebody wants something else since."""
    with transaction.atomic():
        note(group, state=str(stage), host="", socket="", reason=reason, since=now)
        GroupHost.objects.filter(pk=group, wanted=was).update(wanted=str(wish))


def touch(used: Mapping[str, float]) -> None:
    """When the hosts of these groups were last used."""
    with transaction.atomic():
        for group, at in used.items():
            GroupHost.objects.filter(pk=group, used_at__lt=at).update(used_at=at)


def works_of(session: str) -> tuple[Work, ...]:
    """What each group of a session ran on its host besides the steps, the oldest first."""
    mine = {"group__startswith": f"{session}-"}
    experiments = Experiment.objects.filter(**mine).exclude(wanted=WantedExperiment.REMOVED)
    runs = MeasurementRun.objects.filter(**mine).select_related("experiment", "source")
    found = [_experiment(row) for row in experiments.exclude(measurements__twin=True)]
    found += [_measurement(row) for row in runs]
    found += [_claims(*one) for one in claim_runs.of_session(session)]
    return tuple(sorted(found, key=lambda one: one.began))


def forget_works(session: str) -> None:
    """Forgets everything that the groups of a session ran."""
    for model in (MeasurementRun, ClaimRun, Experiment):
        model._default_manager.filter(group__startswith=f"{session}-").delete()


def _number(group: str) -> int:
    return int(group.rpartition("-")[2])


def _modes(spec: str) -> tuple[str, ...]:
    arms = msgspec.json.decode(spec, type=ExperimentSpec).arms
    return tuple(dict.fromkeys(str(arm.mode) for arm in arms))


def _experiment(row: Experiment) -> Work:
    head = msgspec.json.decode(row.head, type=dict[str, Any]) if row.head else {}
    began, over = row.created_at.timestamp(), row.phase in {Phase.STOPPED, Phase.FAILED}
    return Work(
        _number(row.group),
        WorkKind.EXPERIMENT,
        row.id,
        row.title,
        _modes(row.spec),
        began,
        float(head.get("stopped_at") or began) if over else 0.0,
        row.phase,
        str(head.get("notice") or ""),
    )


def _measurement(row: MeasurementRun) -> Work:
    of = row.source or row.experiment
    began = row.started_at or row.created_at.timestamp()
    return Work(
        _number(row.group),
        WorkKind.MEASUREMENT,
        row.id,
        row.title,
        _modes(of.spec) if of is not None else (),
        began,
        0.0 if row.state in measurement_store.LIVE else began + row.elapsed_s,
        row.state,
        row.headline or row.stop_reason,
    )


def _claims(group: str, claim: str, row: claim_runs.Described) -> Work:
    began = row.created_at.timestamp()
    return Work(
        _number(group),
        WorkKind.CLAIMS,
        row.id,
        claim or f"{row.asked} claims",
        (),
        began,
        0.0 if row.live else began + row.elapsed_s,
        row.state,
        row.problem or row.count.sentence,
    )
