"""Links that share a report or the anonymous results of a training session.

A link contains a token of 128 random bits, of which only the SHA-256 is stored.
"""

import hmac
import secrets
import zlib
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, QuerySet

from dashboard.core.training.join_codes import TOKEN_BYTES, TOKEN_LENGTH, digest_of
from dashboard.models import Report, Share
from dashboard.store.operations.audit import audited
from dashboard.store.operations.database_clock import shared_now
from dashboard.store.reports.listing import NOT_FOUND, ReportNotFoundError


@dataclass(frozen=True, slots=True)
class SharedLink:
    """A link as its owner sees it, without the token. ``scrubbed`` is true if the shared document is anonymised,
    ``live`` if the link can still be opened."""

    id: int
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    scrubbed: bool
    views: int
    live: bool


def create(report: str, document: bytes, *, expires_at: datetime | None, scrubbed: bool) -> str:
    """Creates a link to a report and returns its token, which is not stored. ``document`` is the report as a file,
    which the link shows. ``scrubbed`` is true if this document is anonymised. ``expires_at`` is None for a link that
    does not expire. Raises ReportNotFoundError."""
    if not Report.objects.filter(pk=report, deleted_at=None).exists():
        raise ReportNotFoundError(NOT_FOUND)
    return _create(document, report_id=report, expires_at=expires_at, scrubbed=scrubbed)


def create_for_session(session: str, document: bytes, *, expires_at: datetime | None) -> str:
    """Creates a link that shows ``document``, the anonymous results of a training session, and returns its token.
    ``expires_at`` is None for a link that does not expire."""
    return _create(document, session_id=session, expires_at=expires_at, scrubbed=True)


@audited
def _create(document: bytes, **fields: object) -> str:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    Share.objects.create(digest=digest_of(token), document=zlib.compress(document, 6), **fields)
    return token


def open_share(token: str, *, count: bool = True) -> bytes | None:
    """Returns the document of the link with this token. If ``count`` is true, the views of the link increase by one.
    Returns None if the token is unknown, revoked or expired, or if the report is deleted."""
    # The lookup is by the token's SHA-256, so its duration reveals nothing about the token.
    digest = digest_of(token if len(token) == TOKEN_LENGTH else "")
    # The document is read only when it is shown, so that every other token takes the same time.
    row = Share.objects.filter(digest=digest, report__deleted_at=None).defer("document").first()
    if row is None or not hmac.compare_digest(row.digest, digest) or not _is_live(row):
        return None
    if count:
        Share.objects.filter(pk=row.pk).update(views=F("views") + 1)
    return zlib.decompress(row.document)


def _is_live(row: Share) -> bool:
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > shared_now())


@audited
def revoke(share_id: int, report: str | None = None, *, session: str | None = None) -> bool:
    """Ends a link permanently and deletes its document. Returns False if the link does not exist or was revoked before.
    With ``report`` or ``session``, only a link of that report or session is revoked."""
    rows = Share.objects.filter(pk=share_id, revoked_at=None)
    if report is not None:
        rows = rows.filter(report_id=report)
    if session is not None:
        rows = rows.filter(session_id=session)
    return rows.update(revoked_at=shared_now(), document=b"") > 0


def shares_of(report: str) -> tuple[SharedLink, ...]:
    """All links of a report, newest first."""
    return _to_links(Share.objects.filter(report_id=report))


def shares_of_session(session: str) -> tuple[SharedLink, ...]:
    """All links to the results of a training session, newest first."""
    return _to_links(Share.objects.filter(session_id=session))


def _to_links(rows: QuerySet[Share]) -> tuple[SharedLink, ...]:
    return tuple(
        SharedLink(row.pk, row.created_at, row.expires_at, row.revoked_at, row.scrubbed, row.views, _is_live(row))
        for row in rows.defer("document")
    )
