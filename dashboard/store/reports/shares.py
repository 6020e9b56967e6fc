"""Links that show one report, or what a class came to, to whoever has them: 128 random bits, of which only the SHA-256
is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import zlib
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, QuerySet
from django.utils import timezone

from dashboard.models import Report, Share
from dashboard.store.reports.listing import NoReportError

TOKEN_BYTES = 16
TOKEN_LENGTH = 22  # characters of 16 bytes in URL-safe base64


@dataclass(frozen=True, slots=True)
class SharedLink:
    """A link as its owner sees it; the token itself was said once. ``live``: it still opens."""

    id: int
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    scrubbed: bool
    views: int
    live: bool


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def create(report: str, document: bytes, *, expires_at: datetime | None, scrubbed: bool) -> str:
    """Makes a link that shows ``document``; returns the token, which is kept nowhere. NoReportError."""
    if not Report.objects.filter(pk=report, deleted_at=None).exists():
        raise NoReportError("There is no report with this number.")
    return _made(document, report_id=report, expires_at=expires_at, scrubbed=scrubbed)


def create_for_session(session: str, document: bytes, *, expires_at: datetime | None) -> str:
    """The same for the anonymous results of a session."""
    return _made(document, session_id=session, expires_at=expires_at, scrubbed=True)


def _made(document: bytes, **fields: object) -> str:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    Share.objects.create(digest=_digest(token), document=zlib.compress(document, 6), **fields)
    return token


def open_share(token: str, *, count: bool = True) -> bytes | None:
    """The document behind a token, and one view more unless told not to ``count``; None for a token that is unknown,
    revoked or expired, or whose report is deleted. What is looked up is the token's SHA-256: how long that takes tells
    nothing of the token."""
    digest = _digest(token if len(token) == TOKEN_LENGTH else "")
    # Its document is read only once it is known to be shown: whatever opens nothing takes the same time.
    row = Share.objects.filter(digest=digest, report__deleted_at=None).defer("document").first()
    if row is None or not hmac.compare_digest(row.digest, digest) or not _is_live(row):
        return None
    if count:
        Share.objects.filter(pk=row.pk).update(views=F("views") + 1)
    return zlib.decompress(row.document)


def _is_live(row: Share) -> bool:
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > timezone.now())


def revoke(share_id: int, report: str | None = None, *, session: str | None = None) -> bool:
    """Ends a link for good (of ``report`` or ``session`` only, where given); False if there is none that lives."""
    rows = Share.objects.filter(pk=share_id, revoked_at=None)
    if report is not None:
        rows = rows.filter(report_id=report)
    if session is not None:
        rows = rows.filter(session_id=session)
    return rows.update(revoked_at=timezone.now(), document=b"") > 0


def shares_of(report: str) -> tuple[SharedLink, ...]:
    """Every link of a report, newest first."""
    return _listed(Share.objects.filter(report_id=report))


def shares_of_session(session: str) -> tuple[SharedLink, ...]:
    """Every link to what a class came to, newest first."""
    return _listed(Share.objects.filter(session_id=session))


def _listed(rows: QuerySet[Share]) -> tuple[SharedLink, ...]:
    return tuple(
        SharedLink(row.pk, row.created_at, row.expires_at, row.revoked_at, row.scrubbed, row.views, _is_live(row))
        for row in rows.defer("document")
    )
