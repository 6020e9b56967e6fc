"""Queries of the journals of experiments."""

from collections.abc import Collection, Iterator, Sequence

from django.db import transaction
from django.db.models import F, OuterRef, Subquery

from dashboard.core.experiments.journal import (
    Cause,
    Entry,
    Source,
    View,
    decode_facts,
    encode_facts,
    entry_size,
    replay,
)
from dashboard.models import Experiment, JournalEntry
from dashboard.store import recent_entries

#: The number of entries that one query reads.
PAGE = 500


def entry_of(row: JournalEntry) -> Entry:
    """Decodes the journal entry that is stored in a row."""
    cause = Cause(Source(row.source), row.detail, row.actor)
    return Entry(row.seq, row.at, cause, decode_facts(row.facts), row.text, tuple(row.about.split()))


def append(experiment: str, entries: Sequence[Entry], replaced: Collection[int] = ()) -> None:
    """Stores journal entries and deletes those with the numbers ``replaced``, in one transaction."""
    sizes = [entry_size(entry) for entry in entries]
    with transaction.atomic():
        old = JournalEntry.objects.filter(experiment_id=experiment, seq__in=replaced)
        gone = [entry_size(entry_of(row)) for row in old]
        old.delete()
        JournalEntry.objects.bulk_create(
            JournalEntry(
                experiment_id=experiment,
                seq=entry.seq,
                at=entry.at,
                source=str(entry.cause.source),
                detail=entry.cause.detail[:200],
                actor=entry.cause.actor[:200],
                text=entry.text,
                about=" ".join(entry.about),
                facts=encode_facts(entry.facts),
            )
            for entry in entries
        )
        Experiment.objects.filter(pk=experiment).update(
            journal_entries=F("journal_entries") + len(entries) - len(gone),
            journal_bytes=F("journal_bytes") + sum(sizes) - sum(gone),
        )
    recent_entries.remember(experiment, zip(entries, sizes, strict=True), replaced)


def entries(experiment: str, after: int = 0, until: int | None = None, limit: int | None = None) -> tuple[Entry, ...]:
    """The journal entries with ``after < seq <= until``, in order, at most ``limit``. None means no upper limit."""
    rows = JournalEntry.objects.filter(experiment_id=experiment, seq__gt=after)
    if until is not None:
        rows = rows.filter(seq__lte=until)
    return tuple(entry_of(row) for row in rows[:limit])


def read(experiment: str, after: int = 0, until: int | None = None) -> Iterator[Entry]:
    """Yields the journal entries with ``after < seq <= until``, in order; at most ``PAGE`` at a time are in memory."""
    while page := entries(experiment, after, until, PAGE):
        yield from page
        after = page[-1].seq


def newest(experiments: Sequence[str]) -> dict[str, tuple[int, str]]:
    """The number of the newest journal entry (0 if none exists) and the title, by experiment id. Uses one query."""
    last = JournalEntry.objects.filter(experiment=OuterRef("pk")).order_by("-seq").values("seq")[:1]
    rows = Experiment.objects.filter(pk__in=experiments).annotate(newest=Subquery(last))
    return {key: (seq or 0, title) for key, seq, title in rows.values_list("pk", "newest", "title").order_by()}


def view(experiment: str, until: int | None = None) -> View:
    """Replays the journal up to entry ``until``, by default the newest, and returns the resulting view."""
    return replay(read(experiment, until=until))
