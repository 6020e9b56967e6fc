"""Deletes old data other than measurements: experiments with their journals, claim runs, training sessions, share
links, sign-ins and entries of the audit trail."""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import batched
from typing import Any

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet, Sum

from dashboard import models
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import Phase
from dashboard.core.operations.storage import EndedJournal, over_budget
from dashboard.store import claim_runs
from dashboard.store.operations import storage
from dashboard.store.operations.database_clock import shared_now
from dashboard.store.training.participants import person_of
from dashboard.store.training.sessions import person_of_session

#: The maximum numbers of rows, and of journals, deleted in one transaction, so that the server can write in between.
BATCH, JOURNALS_BATCH = 500, 20


@dataclass(frozen=True, slots=True)
class DeletedRows:
    """Numbers of deleted rows. ``comparisons`` counts experiments, and ``entries`` the entries of their journals.
    ``claims`` counts claim runs, ``classes`` training sessions, and ``links`` share links. ``logins`` counts expired
    browser sessions and sign-in links. ``audit`` counts entries of the audit trail."""

    comparisons: int = 0
    entries: int = 0
    claims: int = 0
    classes: int = 0
    links: int = 0
    logins: int = 0
    audit: int = 0

    @property
    def rows(self) -> int:
        """The total number of deleted rows, without journal entries."""
        return self.comparisons + self.claims + self.classes + self.links + self.logins + self.audit


def delete_experiments(limit: datetime, *, dry_run: bool) -> DeletedRows:
    """Deletes ended experiments with their journals. An experiment is deleted only if it was created before ``limit``
    and all its journal entries are from before ``limit``. If ``dry_run`` is true, only counts them.

    Reports and measurements stay. An experiment that was launched for a measurement is deleted with that measurement.
    """
    rows = _ended().filter(created_at__lt=limit)
    end = limit.timestamp()
    rows = rows.annotate(last=Max("journal__at"), last_part=Max("children__journal__at"))
    rows = rows.filter(Q(last=None) | Q(last__lt=end), Q(last_part=None) | Q(last_part__lt=end))
    ids = list(rows.values_list("pk", flat=True))
    entries = deleted = 0
    for some in batched(ids, JOURNALS_BATCH):
        entries += _entries(some).count()
        deleted += len(some) if dry_run else _delete_ended(rows, some)
    return DeletedRows(comparisons=deleted, entries=entries)


def delete_over_budget(max_size: int) -> int:
    """Deletes ended experiments until all journals together have at most ``max_size`` bytes; 0 is no limit. Only owners
    whose journals exceed a fair share lose experiments, their oldest first. Returns the number of deleted experiments.

    Reports and measurements stay.
    """
    if max_size <= 0 or storage.journals().size <= max_size:
        return 0
    by_owner = models.Experiment.objects.order_by().values_list("owner_id", "group")
    owned: dict[str, int] = {}
    for owner, group, size in by_owner.annotate(size=Sum("journal_bytes")):
        owned[_owner(owner, group)] = owned.get(_owner(owner, group), 0) + size
    rows = _ended().order_by("created_at")
    journals = rows.values_list("pk", "owner_id", "group", "journal_bytes")
    divided = models.Experiment.objects.exclude(parent=None).order_by().values_list("parent_id")
    parts = dict(divided.annotate(size=Sum("journal_bytes")))
    oldest_first = [
        EndedJournal(key, _owner(owner, group), size + parts.get(key, 0)) for key, owner, group, size in journals
    ]
    chosen = over_budget(oldest_first, owned, max_size)
    return sum(_delete_ended(rows, some) for some in batched(chosen, JOURNALS_BATCH))


def _ended() -> QuerySet[models.Experiment]:
    """A query for experiments that have ended on all their machines. Omits parts, which are deleted with their
    experiment, and experiments that were launched for a measurement."""
    single = Q(Q(phase=Phase.FAILED) | Q(phase=Phase.STOPPED, wanted=Wanted.STOPPED), driver="")
    live = models.Experiment.objects.filter(parent=OuterRef("pk")).exclude(single)
    rows = models.Experiment.objects.filter(Q(parts="") & single | ~Q(parts="") & ~Exists(live), parent=None)
    return rows.exclude(measurements__twin=True)


def _entries(experiments: Collection[str]) -> QuerySet[models.JournalEntry]:
    """The entries of these experiments and of their parts."""
    of = models.Experiment.objects.filter(Q(pk__in=experiments) | Q(parent__in=experiments))
    return models.JournalEntry.objects.filter(experiment__in=list(of.values_list("pk", flat=True)))


def _owner(user: int | None, group: str) -> str:
    """The key under which ``delete_over_budget`` adds up the sizes of journals: the group's key or, if there is no
    group, the user's id."""
    return group or str(user)


def _delete_ended(rows: QuerySet[models.Experiment], chosen: Collection[str]) -> int:
    """Deletes the ``chosen`` experiments that the query ``rows`` still selects, and returns their number. An experiment
    may have been launched again since it was chosen."""
    with transaction.atomic():
        # Locks experiments before their parts, in the same order as the commands.
        for condition in (Q(pk__in=chosen), Q(parent__in=chosen)):
            list(models.Experiment.objects.select_for_update().filter(condition).order_by("pk").values_list("pk"))
        ids = list(rows.filter(pk__in=chosen).values_list("pk", flat=True))
        _entries(ids).delete()
        models.Experiment.objects.filter(pk__in=ids).delete()
    return len(ids)


def delete_claim_runs(limit: datetime, *, dry_run: bool) -> DeletedRows:
    """Deletes ended runs of claims and misconceptions that were created before ``limit``."""
    rows = models.ClaimRun.objects.filter(created_at__lt=limit).exclude(state__in=claim_runs.LIVE)
    return DeletedRows(claims=_delete(rows, dry_run=dry_run))


def delete_sessions(limit: datetime, *, dry_run: bool) -> DeletedRows:
    """Deletes training sessions that were closed or expired before ``limit`` and have no private hosts. Their
    participants and all progress are deleted with them. The experiments and runs of their groups stay. Hosts on revoked
    machines do not count, because no lab would record their removal."""
    end = limit.timestamp()
    over = Q(closed_at__gt=0.0, closed_at__lt=end) | Q(closed_at=0.0, expires_at__lt=end)
    hosts = models.GroupHost.objects.exclude(host="").exclude(machine__revoked_at__gt=0.0)
    with_hosts = hosts.values("session")
    ids = list(models.TrainingSession.objects.filter(over).exclude(pk__in=with_hosts).values_list("pk", flat=True))
    for some in () if dry_run else batched(ids, JOURNALS_BATCH):
        with transaction.atomic():
            participants = models.Participant.objects.filter(session__in=some).values_list("pk", flat=True)
            people = [*map(person_of, participants), *map(person_of_session, some)]
            models.WorkshopProgress.objects.filter(person__in=people).delete()
            models.TrainingSession.objects.filter(pk__in=some).delete()
    return DeletedRows(classes=len(ids))


def delete_links(limit: datetime, *, dry_run: bool) -> DeletedRows:
    """Deletes share links that expired or were revoked before ``limit``."""
    rows = models.Share.objects.filter(Q(expires_at__lt=limit) | Q(revoked_at__lt=limit))
    return DeletedRows(links=_delete(rows, dry_run=dry_run))


def delete_logins(_limit: datetime, *, dry_run: bool) -> DeletedRows:
    """Deletes all expired browser sessions and sign-in links. ``_limit`` is ignored, because no one can use an expired
    session or link again."""
    now = shared_now()
    expired = (
        Session.objects.filter(expire_date__lt=now),
        models.SignInLink.objects.filter(expires_at__lt=now.timestamp()),
    )
    return DeletedRows(logins=sum(_delete(rows, dry_run=dry_run) for rows in expired))


def delete_audit(limit: datetime, *, dry_run: bool) -> DeletedRows:
    """Deletes entries of the audit trail from before ``limit``."""
    rows = models.AuditEntry.objects.filter(at__lt=limit.timestamp())
    return DeletedRows(audit=_delete(rows, dry_run=dry_run))


def _delete(rows: QuerySet[Any], *, dry_run: bool) -> int:
    ids = list(rows.values_list("pk", flat=True))
    for some in () if dry_run else batched(ids, BATCH):
        with transaction.atomic():
            rows.model._default_manager.filter(pk__in=some).delete()
    return len(ids)


#: The function that deletes each kind of data, by its name for ``netmodes prune --only``.
DELETERS: dict[str, Callable[..., DeletedRows]] = {
    "experiments": delete_experiments,
    "claims": delete_claim_runs,
    "classes": delete_sessions,
    "links": delete_links,
    "logins": delete_logins,
    "audit": delete_audit,
}


def delete_old(limit: datetime, kinds: Collection[str], *, dry_run: bool) -> DeletedRows:
    """Deletes the data of the chosen ``kinds`` from before ``limit``. Kinds that are not keys of ``DELETERS`` are
    ignored. If ``dry_run`` is true, the data is only counted."""
    parts = [asdict(delete(limit, dry_run=dry_run)) for kind, delete in DELETERS.items() if kind in kinds]
    return DeletedRows(**{name: sum(part[name] for part in parts) for name in asdict(DeletedRows())})
