"""The entries of a journal that are not committed yet. The queue numbers them, merges them if there are too many, and
groups them into batches.

Changes that come faster than the journal may grow are merged into one open entry. Each batch replaces the version of
the open entry that the previous batch wrote, so the database has the newest state and the journal does not grow.
"""

from dataclasses import dataclass, field, replace

from dashboard.core.experiments.budget.merge import (
    Tally,
    describe_merged,
    describe_unwritten,
    is_mergeable,
    is_replaceable,
    merge,
)
from dashboard.core.experiments.budget.pace import MAX_WAITING_BYTES, MAX_WAITING_ENTRIES, Pace, describe_used_up
from dashboard.core.experiments.journal import Cause, Entry, Facts, Source, View, advance, entry_size

#: The longest time that one merged entry covers, if the journal may grow again.
MAX_MERGED_S = 60.0
MERGED = "merged"
OTHER_CONTAINERS = "other containers"


@dataclass(slots=True, eq=False)
class OpenEntry:
    """The entry into which changes are merged.

    ``tally`` counts only the changes that concern columns. ``text`` is the text of the last of these changes.
    ``committed`` is the sequence number under which the database has the entry; 0 if it is not stored yet. ``is_dirty``
    is true if the entry has changes that no batch contains.
    """

    entry: Entry
    tally: Tally
    opened_at: float
    text: str = ""
    committed: int = 0
    is_dirty: bool = True


@dataclass(slots=True, eq=False)
class WaitingEntry:
    """A final entry that is not committed. It may have been merged from several final entries.

    ``unwritten`` is the number of these final entries; 1 without a merge. ``appended`` counts those that were never
    open. ``ended`` has the open entries (``OpenEntry``) from which the others came. When this entry is written, stored
    versions of the entries in ``ended`` are deleted.
    """

    entry: Entry
    size: int
    appended_at: float
    appended: int = 1
    ended: tuple[OpenEntry, ...] = ()
    unwritten: int = 1


@dataclass(frozen=True, slots=True)
class Batch:
    """The ``entries`` to write in one transaction, which also deletes the entries with the numbers ``replaced``."""

    waiting: tuple[WaitingEntry, ...]
    open: OpenEntry | None
    entries: tuple[Entry, ...]
    replaced: tuple[int, ...]


@dataclass(slots=True)
class JournalQueue:
    """The entries of one journal that are not committed yet.

    ``view`` is the state of the experiment after all of them. ``appended`` counts the entries that were appended so
    far; changes that were merged into one entry count once. In the methods, ``at`` is the time of the entry in seconds
    since the epoch. ``now`` is the current time of a monotonic clock in seconds.
    """

    view: View
    pace: Pace
    appended: int = 0
    _waiting: list[WaitingEntry] = field(default_factory=list)
    _open: OpenEntry | None = None
    #: How many of the first waiting entries are being written: these are not merged.
    _in_flight: int = 0
    _used_up_announced: bool = False

    def __post_init__(self) -> None:
        self._used_up_announced = self.pace.is_used_up

    @property
    def has_final(self) -> bool:
        """Whether an entry waits that will not change again."""
        return bool(self._waiting)

    @property
    def has_open(self) -> bool:
        """Whether the open entry has changes that no batch contains."""
        return self._open is not None and self._open.is_dirty

    @property
    def is_flooded(self) -> bool:
        """Whether changes of columns are being merged because they come too fast. False if the budget is used up,
        because then merging never ends."""
        return self._open is not None and self._open.tally.count > 0 and not self.pace.is_used_up

    def append(
        self, at: float, now: float, cause: Cause, facts: Facts, text: str, about: tuple[str, ...], *, quiet: bool
    ) -> Entry:
        """Appends an entry, or merges its change into the open entry. Returns the new entry or the open one.

        ``about`` has the keys of the columns that the entry concerns. ``quiet`` is true if the change concerns no
        column. A quiet change is always merged.
        """
        self._announce_if_used_up(at, now)
        replaceable = is_replaceable(cause, facts, self.view, is_full=self.pace.is_used_up)
        merging = quiet or (replaceable and self._must_merge(now))
        if not merging or (not quiet and self._may_end_merge(now)):
            self.end_merge(at, now)
        entry = Entry(self.view.seq + 1, at, cause, facts, text, about)
        self.view = advance(self.view, entry)
        if merging:
            return self._merge(entry, now, quiet=quiet)
        self._enqueue(entry, now)
        self._announce_if_used_up(at, now)
        return entry

    def _announce_if_used_up(self, at: float, now: float) -> None:
        """Appends, only once, an entry that announces that the journal has reached its limit."""
        if self.pace.is_used_up and not self._used_up_announced:
            self._used_up_announced = True
            text = describe_used_up(self.pace.limits)
            self.append(at, now, Cause(Source.LAB, "budget"), Facts(), text, (), quiet=False)

    def _must_merge(self, now: float) -> bool:
        return (self._open is not None and self._open.tally.count > 0) or not self.pace.allows(now)

    def _may_end_merge(self, now: float) -> bool:
        merged = self._open
        return merged is not None and now - merged.opened_at >= MAX_MERGED_S and self.pace.allows(now)

    def _merge(self, entry: Entry, now: float, *, quiet: bool) -> Entry:
        merged = self._open
        tally = Tally() if merged is None else merged.tally
        if not quiet:
            tally = tally.add(entry)
        new = entry if merged is None else merge((merged.entry, entry), self.view)
        new = replace(new, cause=Cause(Source.KERNEL, MERGED if tally.count else OTHER_CONTAINERS), text="")
        if merged is None:
            self.appended += 1
            self._open = OpenEntry(new, tally, now, "" if quiet else entry.text)
        else:
            merged.entry, merged.tally, merged.is_dirty = new, tally, True
            merged.text = merged.text if quiet else entry.text
        return new

    def end_merge(self, at: float, now: float) -> None:
        """Makes the open entry final, if there is one. If several changes of columns were merged into it, its text
        tells how many."""
        merged, self._open = self._open, None
        if merged is None:
            return
        entry, tally = merged.entry, merged.tally
        if tally.count:
            self.view = replace(self.view, seq=self.view.seq + 1)
            text = merged.text if tally.count == 1 else describe_merged(tally, at)
            entry = replace(entry, seq=self.view.seq, at=at, text=text)
        size = entry_size(entry)
        self.pace = self.pace.spent(size, now)
        # The write of the version in flight may fail, so this entry is written again.
        if tally.count or merged.is_dirty or merged.committed != entry.seq:
            self._waiting.append(WaitingEntry(entry, size, now, 0, (merged,)))

    def _enqueue(self, entry: Entry, now: float) -> None:
        size = entry_size(entry)
        self.appended += 1
        self.pace = self.pace.spent(size, now)
        self._waiting.append(WaitingEntry(entry, size, now))
        waiting = self._waiting[self._in_flight :]
        if len(waiting) > MAX_WAITING_ENTRIES or sum(one.size for one in waiting) > MAX_WAITING_BYTES:
            self._merge_waiting()

    def _merge_waiting(self) -> None:
        """Merges the waiting entries, so that they do not fill the memory while the database accepts no writes."""
        start = len(self._waiting)
        while start > self._in_flight and is_mergeable(self._waiting[start - 1].entry):
            start -= 1
        merged = self._waiting[start:]
        if len(merged) < 2:
            return
        unwritten = sum(one.unwritten for one in merged)
        entry = merge([one.entry for one in merged], self.view)
        entry = replace(entry, cause=Cause(Source.LAB, MERGED), text=describe_unwritten(unwritten))
        ended = tuple(item for one in merged for item in one.ended)
        appended = sum(one.appended for one in merged)
        size = entry_size(entry)
        self._waiting[start:] = [WaitingEntry(entry, size, merged[0].appended_at, appended, ended, unwritten)]

    def next_batch(self) -> Batch:
        """Returns all waiting entries, and the open entry if it has changed. ``committed`` removes them."""
        waiting, open_entry = tuple(self._waiting), self._open if self.has_open else None
        self._in_flight = len(waiting)
        opened = [item for one in waiting for item in one.ended] + ([open_entry] if open_entry else [])
        entries = [one.entry for one in waiting] + ([open_entry.entry] if open_entry else [])
        if open_entry is not None:
            open_entry.is_dirty = False
        return Batch(waiting, open_entry, tuple(entries), tuple(item.committed for item in opened if item.committed))

    def failed(self, batch: Batch) -> None:
        """Records that the batch was not written: the next batch contains its entries again."""
        self._in_flight = 0
        if batch.open is not None:
            batch.open.is_dirty = True

    def committed(self, batch: Batch) -> int:
        """Removes the entries of a batch that was written. Returns the number of new entries among them; a new version
        of a stored entry does not count."""
        self._in_flight = 0
        del self._waiting[: len(batch.waiting)]
        written = sum(one.appended for one in batch.waiting)
        for item in (item for one in batch.waiting for item in one.ended):
            written += not item.committed
        if batch.open is not None:
            written += not batch.open.committed
            batch.open.committed = batch.entries[-1].seq
        return written

    def drop(self) -> int:
        """Removes all entries without writing them. Returns how many were lost."""
        opened = {item for one in self._waiting for item in one.ended} | ({self._open} if self._open else set())
        dropped = sum(one.appended for one in self._waiting) + sum(not item.committed for item in opened)
        self._waiting.clear()
        self._open = None
        return dropped
