"""Provides the data with which a browser replays an experiment.

The data contain what the experiment's page showed after each journal entry. They are cached in the process, so that
only new entries are read.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import islice
from threading import Lock

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from dashboard.core.experiments.journal import Entry, View, advance
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.machines.journals import MergedJournal
from dashboard.core.reports.replay.recording import ReplayRecording, build_recording, encode_recording
from dashboard.store import experiments as experiment_store
from dashboard.store import parts
from dashboard.store.experiments import Record
from dashboard.web.http.database import to_db_thread

#: The maximum number of entries in a recording, which begins with the state before the first of them.
MAX_ENTRIES = 20_000
KEPT = 4


@dataclass(slots=True)
class _CachedReplay:
    """The replay data of an experiment. ``encoded`` is their JSON text. ``journal`` is the merged journal up to the
    last recorded entry; None for an experiment on one machine."""

    lock: Lock = field(default_factory=Lock)
    recording: ReplayRecording | None = None
    journal: MergedJournal | None = None
    encoded: bytes = b""


_cache: OrderedDict[str, _CachedReplay] = OrderedDict()
_lock = Lock()


def _place(identity: str) -> _CachedReplay:
    with _lock:
        cached = _cache.setdefault(identity, _CachedReplay())
        _cache.move_to_end(identity)
        while len(_cache) > KEPT:
            _cache.popitem(last=False)
    return cached


def encoded_track(identity: str) -> bytes:
    """Returns the replay data up to the newest journal entry as JSON. Raises Http404 if the experiment does not exist.

    Slow: call it in a thread.
    """
    record = experiment_store.load(identity)
    if record is None or record.wanted is Wanted.REMOVED:
        raise Http404(_("No experiment has this id."))
    cached = _place(identity)
    with cached.lock:
        if cached.recording is None:
            journal = parts.merged_journal(record) if record.parts else None
            start = experiment_store.waiting_view(record) if journal is None else View()
            entries, first_at = parts.read(record) if journal is None else parts.read_journal(journal), None
            for entry in islice(entries, max(0, parts.count_entries(record) - MAX_ENTRIES)):
                start, first_at = advance(start, entry), entry.at if first_at is None else first_at
            recording = build_recording(entries, start, first_at)
            cached.recording, cached.journal, cached.encoded = recording, journal, encode_recording(recording)
        elif not cached.recording.truncated:
            journal, new = _read_new(record, cached.recording, cached.journal)
            if new:
                cached.recording.extend(new)
                cached.journal, cached.encoded = journal, encode_recording(cached.recording)
        return cached.encoded


def _read_new(
    record: Record, recording: ReplayRecording, before: MergedJournal | None
) -> tuple[MergedJournal | None, tuple[Entry, ...]]:
    """Returns the merged journal up to the newest entry, and the entries that are not in ``recording`` yet.

    ``before`` is the merged journal up to the last recorded entry. Both journals are None on one machine.
    """
    if before is None:
        return None, tuple(parts.read(record, recording.view.seq))
    journal = before.copy()
    return journal, tuple(journal.extend(parts.read_parts(dict(journal.seen))))


@require_GET
async def track(_request: HttpRequest, identity: str) -> HttpResponse:
    """Returns the replay data of an experiment as JSON for ``replay.js``."""
    encoded = await to_db_thread(encoded_track, identity)
    return HttpResponse(encoded, content_type="application/json", headers={"Cache-Control": "no-store"})
