"""The recording that a browser replays; cached per process, so that only new entries are added."""

from collections import OrderedDict
from collections.abc import Iterator
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
from dashboard.web.http.database import in_database

#: A recording has at most so many entries; it begins with the state before them.
MAX_ENTRIES = 20_000
KEPT = 4


@dataclass(slots=True)
class _Kept:
    lock: Lock = field(default_factory=Lock)
    recording: ReplayRecording | None = None
    journal: MergedJournal | None = None  # of an experiment on several machines
    encoded: bytes = b""


_kept: OrderedDict[str, _Kept] = OrderedDict()
_lock = Lock()


def _place(identity: str) -> _Kept:
    with _lock:
        kept = _kept.setdefault(identity, _Kept())
        _kept.move_to_end(identity)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return kept


def encoded_track(identity: str) -> bytes:
    """The track up to the newest entry, as JSON; Http404 if there is no such experiment. Slow: call it in a thread."""
    record = experiment_store.load(identity)
    if record is None or record.wanted is Wanted.REMOVED:
        raise Http404(_("No experiment has this id."))
    kept = _place(identity)
    with kept.lock:
        if kept.recording is None:
            kept.journal = parts.merged_journal(record) if record.parts else None
            start = View() if kept.journal is not None else experiment_store.waiting_view(record)
            entries, first_at = _read_all(kept.journal, identity), None
            for entry in islice(entries, max(0, record.journal_entries - MAX_ENTRIES)):
                start, first_at = advance(start, entry), entry.at if first_at is None else first_at
            kept.recording = build_recording(entries, start, first_at)
            kept.encoded = encode_recording(kept.recording)
        elif new := _read_new(kept.journal, identity, kept.recording.view.seq):
            kept.recording.extend(new)
            kept.encoded = encode_recording(kept.recording)
        return kept.encoded


def _read_all(journal: MergedJournal | None, identity: str) -> Iterator[Entry]:
    return experiment_store.read(identity) if journal is None else parts.read_journal(journal)


def _read_new(journal: MergedJournal | None, identity: str, after: int) -> tuple[Entry, ...]:
    if journal is None:
        return experiment_store.entries(identity, after)
    return tuple(journal.extend(list(parts.read_parts(dict(journal.seen)))))


@require_GET
async def track(_request: HttpRequest, identity: str) -> HttpResponse:
    """JSON for ``replay.js``, made in a worker thread."""
    encoded = await in_database(encoded_track, identity)
    return HttpResponse(encoded, content_type="application/json", headers={"Cache-Control": "no-store"})
