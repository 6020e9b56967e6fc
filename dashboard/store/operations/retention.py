"""What is over and old besides measurements: experiments with their journals, claims, classes, links, logins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import Any

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import Phase
from dashboard.models import (
    ClaimRun,
    Experiment,
    GroupHost,
    JournalEntry,
    Participant,
    Share,
    SignInLink,
    TrainingSession,
    WorkshopProgress,
)
from dashboard.store import claim_runs

#: A journal may be long: the server's own writes come in between.
FEW = 20


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many were, or would be. ``entries`` are those of the experiments' journals; ``links`` are shared reports'
    that have ended; ``logins`` are sessions of browsers and sign-in links that are of no use any more."""

    comparisons: int = 0
    entries: int = 0
    claims: int = 0
    classes: int = 0
    links: int = 0
    logins: int = 0

    @property
    def rows(self) -> int:
        """How many in all."""
        return self.comparisons + self.claims + self.classes + self.links + self.logins


def _over(limit: datetime) -> QuerySet[Experiment]:
    """Experiments that have ended, in whose journal nothing has been written since; one that was launched for a
    measurement goes with it."""
    ended = Q(phase=Phase.FAILED) | Q(phase=Phase.STOPPED, wanted=Wanted.STOPPED)
    rows = Experiment.objects.filter(ended, created_at__lt=limit, driver="").exclude(measurements__twin=True)
    rows = rows.annotate(last=Max("journal__at"))
    return rows.filter(Q(last__isnull=True) | Q(last__lt=limit.timestamp()))


def forget_experiments(limit: datetime, *, dry_run: bool) -> Forgotten:
    """With their journals; reports and measurements stay."""
    found = list(_over(limit).values_list("pk", flat=True))
    entries = 0
    for some in batched(found, FEW):
        entries += JournalEntry.objects.filter(experiment_id__in=some).count()
        if not dry_run:
            with transaction.atomic():
                JournalEntry.objects.filter(experiment_id__in=some).delete()
                Experiment.objects.filter(pk__in=some).delete()
    return Forgotten(comparisons=len(found), entries=entries)


def forget_claims(limit: datetime, *, dry_run: bool) -> Forgotten:
    """Runs of claims and misconceptions that are over."""
    rows = ClaimRun.objects.filter(created_at__lt=limit).exclude(state__in=claim_runs.LIVE)
    return Forgotten(claims=_delete(rows, dry_run=dry_run))


def forget_classes(limit: datetime, *, dry_run: bool) -> Forgotten:
    """Classes that were closed or ran out, with their participants and all that people did in them."""
    end = limit.timestamp()
    over = Q(closed_at__gt=0.0, closed_at__lt=end) | Q(closed_at=0.0, expires_at__lt=end)
    with_hosts = GroupHost.objects.exclude(host="").values("session")
    rows = TrainingSession.objects.filter(over).exclude(pk__in=with_hosts)
    found = list(rows.values_list("pk", flat=True))
    for some in () if dry_run else batched(found, FEW):
        with transaction.atomic():
            people = [
                f"seat:{participant}"
                for participant in Participant.objects.filter(session__in=some).values_list("pk", flat=True)
            ]
            WorkshopProgress.objects.filter(person__in=people).delete()
            TrainingSession.objects.filter(pk__in=some).delete()
    return Forgotten(classes=len(found))


def forget_links(limit: datetime, *, dry_run: bool) -> Forgotten:
    """Links of shared reports that ended longer ago."""
    return Forgotten(
        links=_delete(Share.objects.filter(Q(expires_at__lt=limit) | Q(revoked_at__lt=limit)), dry_run=dry_run)
    )


def forget_logins(_limit: datetime, *, dry_run: bool) -> Forgotten:
    """What nobody can use any more, whatever its age."""
    now = timezone.now()
    sessions = _delete(Session.objects.filter(expire_date__lt=now), dry_run=dry_run)
    return Forgotten(
        logins=sessions + _delete(SignInLink.objects.filter(expires_at__lt=now.timestamp()), dry_run=dry_run)
    )


def _delete(rows: QuerySet[Any], *, dry_run: bool) -> int:
    found = list(rows.values_list("pk", flat=True))
    for some in () if dry_run else batched(found, 500):
        with transaction.atomic():
            rows.model._default_manager.filter(pk__in=some).delete()
    return len(found)


#: By the word that a person types.
FORGETTERS: dict[str, Callable[..., Forgotten]] = {
    "experiments": forget_experiments,
    "claims": forget_claims,
    "classes": forget_classes,
    "links": forget_links,
    "logins": forget_logins,
}


def forget(limit: datetime, what: set[str], *, dry_run: bool) -> Forgotten:
    """All that is named in ``what``."""
    parts = [work(limit, dry_run=dry_run) for name, work in FORGETTERS.items() if name in what]
    names = ("comparisons", "entries", "claims", "classes", "links", "logins")
    return Forgotten(**{name: sum(getattr(part, name) for part in parts) for name in names})
