"""What a browser needs to replay an experiment that may still run; kept per process, so that only the new is made."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from channels.db import database_sync_to_async
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from dashboard.core.experiments.journal import replay
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.reports.replay.recording import Track, build_track, encode_track, extend
from dashboard.store import experiments as experiment_store

#: A replay goes back so many entries; what was there before them is its beginning.
MOST_ENTRIES = 20_000
KEPT = 4


@dataclass(slots=True)
class _Kept:
    lock: Lock = field(default_factory=Lock)
    track: Track | None = None
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
    """The track up to the newest entry, as JSON; Http404 if there is no such experiment. Takes its time."""
    record = experiment_store.load(identity)
    if record is None or record.wanted is Wanted.REMOVED:
        raise Http404(_("There is no experiment with this number."))
    kept = _place(identity)
    with kept.lock:
        if kept.track is None:
            entries = experiment_store.entries(identity)
            before, shown = entries[:-MOST_ENTRIES], entries[-MOST_ENTRIES:]
            first_at = entries[0].at if entries else None
            kept.track = build_track(shown, replay(before, experiment_store.waiting_view(record)), first_at)
            kept.encoded = encode_track(kept.track)
        elif new := experiment_store.entries(identity, kept.track.view.seq):
            kept.encoded = encode_track(extend(kept.track, new))
        return kept.encoded


@require_GET
async def track(_request: HttpRequest, identity: str) -> HttpResponse:
    """JSON for ``replay.js``. It is made in a thread of its own: others need not wait for it."""
    encoded = await database_sync_to_async(encoded_track, thread_sensitive=False)(identity)
    return HttpResponse(encoded, content_type="application/json", headers={"Cache-Control": "no-store"})
