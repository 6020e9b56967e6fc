"""The audit trail. An entry is written in the transaction of the command that it records."""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime
from functools import wraps

from django.db import transaction
from django.db.models import Q, QuerySet

from dashboard.core.reports.csv_tables import safe_cell
from dashboard.models import AuditEntry
from dashboard.store.operations.database_clock import shared_clock

DONE, REFUSED, FAILED = OUTCOMES = ("done", "refused", "failed")
#: The account name in entries of commands that were run in a terminal.
COMMAND_LINE = "command line"
MAX_EXPORTED = 100_000


@dataclass(slots=True)
class PendingEntry:
    """The audit entry of the command that is being executed. If there is no command, ``action`` is empty and nothing is
    written. ``stored`` is the id of the entry's row, empty until it is written."""

    user: int | None = None
    account: str = ""
    action: str = ""
    object: str = ""
    address: str = ""
    stored: str = ""

    def store(self, outcome: str) -> None:
        """Writes the entry with this outcome, unless it is already in the database. The database is queried, because a
        rollback may have removed an entry that was written before."""
        if not self.action:
            return
        # On SQLite, the transaction begins when no other thread writes: another thread of the command may be about to
        # write the entry.
        with transaction.atomic():
            if self.stored and AuditEntry.objects.filter(pk=self.stored).exists():
                return
            self.stored = record(
                self.action, self.object, outcome, user=self.user, account=self.account, address=self.address
            )


_pending: ContextVar[PendingEntry | None] = ContextVar("netmodes_audit", default=None)


@contextmanager
def pending(entry: PendingEntry) -> Iterator[PendingEntry]:
    """Context manager for the execution of a command. Audited functions of the store that are called within it write
    ``entry`` to the audit trail. So do those that still run in threads when the command is cancelled."""
    token = _pending.set(entry)
    try:
        yield entry
        entry.action = ""
    finally:
        _pending.reset(token)


def note(what: object = "") -> None:
    """Writes the audit entry of the current command, with the outcome “done”, in the current transaction. ``what`` is
    the id of the object that the command created. Does nothing outside ``pending``, because there is no command to
    audit."""
    entry = _pending.get()
    if entry is not None:
        entry.object = entry.object or str(what)[:120]
        entry.store(DONE)


def audited[**P, T](command: Callable[P, T]) -> Callable[P, T]:
    """Decorates a store command, so that one transaction contains its changes and the entry of the audit trail. If the
    command returns False, it has done nothing, and no entry is written."""
    return _in_transaction(command, lambda _result: "")


def creates[**P, T](command: Callable[P, T]) -> Callable[P, T]:
    """Decorates a store command that creates an object and returns the object's id or row. Works like ``audited``, and
    the entry also contains the id."""
    return _in_transaction(command, lambda result: getattr(result, "pk", result))


def _in_transaction[**P, T](command: Callable[P, T], created: Callable[[T], object]) -> Callable[P, T]:
    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        entry = _pending.get()
        if entry is None or not entry.action:
            return command(*args, **kwargs)
        with transaction.atomic():
            result = command(*args, **kwargs)
            if result is not False:
                note(created(result))
        return result

    return run


def record(
    action: str, what: str, outcome: str, *, user: int | None = None, account: str = COMMAND_LINE, address: str = ""
) -> str:
    """Writes an entry of the audit trail and returns its id. ``what`` is the id of the object, ``address`` the
    address of the client."""
    fields = {"action": action[:60], "object": what[:120], "outcome": outcome, "address": address[:64]}
    return AuditEntry.objects.create(at=shared_clock(), user_id=user, account=account[:150], **fields).pk


@dataclass(frozen=True, slots=True)
class AuditLine:
    """An entry as pages and exports show it. ``at`` is an ISO 8601 time in UTC."""

    at: str
    account: str
    action: str
    object: str
    outcome: str
    address: str


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Selects entries with this account, action and outcome, and with ``text`` in the object or address. Empty fields
    select every value."""

    account: str = ""
    action: str = ""
    outcome: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class AuditTrail:
    """Entries of the audit trail, newest first, in the schema ``audit/1``."""

    entries: tuple[AuditLine, ...]
    schema: str = "audit/1"


def _rows(chosen: AuditFilter) -> QuerySet[AuditEntry]:
    exact = {name: value for name, value in asdict(chosen).items() if value and name != "text"}
    rows = AuditEntry.objects.filter(**exact)
    return rows.filter(Q(object__icontains=chosen.text) | Q(address__icontains=chosen.text)) if chosen.text else rows


def _line(row: AuditEntry) -> AuditLine:
    at = datetime.fromtimestamp(row.at, UTC).isoformat(timespec="milliseconds")
    return AuditLine(at, row.account, row.action, row.object, row.outcome, row.address)


def read(chosen: AuditFilter = AuditFilter(), limit: int = MAX_EXPORTED, skip: int = 0) -> AuditTrail:
    """The entries that the filter selects, newest first. The first ``skip`` entries are omitted, and at most ``limit``
    are returned."""
    return AuditTrail(tuple(_line(row) for row in _rows(chosen)[skip : skip + limit]))


def count(chosen: AuditFilter) -> int:
    """The number of entries that the filter selects."""
    return _rows(chosen).count()


def values(field: str) -> tuple[str, ...]:
    """The distinct values of ``field`` in all entries, such as accounts or actions."""
    return tuple(AuditEntry.objects.order_by(field).values_list(field, flat=True).distinct())


def as_csv(trail: AuditTrail) -> str:
    """The entries as CSV. A cell that a spreadsheet could take for a formula is prefixed with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(AuditLine.__dataclass_fields__)
    for line in trail.entries:
        writer.writerow(map(safe_cell, astuple(line)))
    return text.getvalue()
