"""Follows the journals of experiments, and sends their new entries as patches to all websocket clients."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from dashboard.core.comparison.answer.answer import has_taken_port
from dashboard.core.comparison.machines.answer import answer as write_answer
from dashboard.core.comparison.rows import RowCache, compare
from dashboard.core.diagram.path_overlay import draw_paths
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.journal import Entry, Source, View, replay
from dashboard.core.experiments.launching.ports import PortUser
from dashboard.core.experiments.launching.progress import ArmProgress, launch_progress
from dashboard.core.experiments.machines.groups import MachineNote, mark_machines
from dashboard.core.experiments.machines.heads import apply_requests
from dashboard.core.experiments.machines.journal_problems import show_problems
from dashboard.core.experiments.machines.journals import MergedJournal
from dashboard.core.experiments.messages import (
    NO_ANSWER,
    Answer,
    Column,
    ExperimentHead,
    Phase,
    Row,
    TimelineItem,
    encode,
)
from dashboard.core.experiments.picture import DrawnPath, Picture
from dashboard.core.experiments.stream import Patch, Snapshot, diff_rows
from dashboard.core.experiments.timeline import CountedEntries, timeline_item
from dashboard.core.operations.machines import SERVER
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store import parts, recent_entries
from dashboard.store.experiments import Record
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.port_users import other_port_users
from dashboard.web import feed_hub
from dashboard.web.feed_hub import Client, Feed, FeedHub
from dashboard.web.http.database import to_db_thread, to_feed_thread

log = logging.getLogger(__name__)
SHOWN_ITEMS = 200


@dataclass(slots=True)
class ExperimentFeed(Feed):
    """The live state of an experiment. ``round`` is the newest requested round. ``machines`` contains the machine of
    each part by the part's id, ``problems`` why and since when its journal cannot be written. On one machine, the
    experiment is its only part, and ``journal``, the merged journal, is None. ``columns`` have notes about machines."""

    title: str = ""
    round: int = 0
    view: View = field(default_factory=View)
    rows: tuple[Row, ...] = ()
    cache: RowCache = field(default_factory=RowCache)
    pictures: tuple[Picture, Picture] = (Picture(0, 0), Picture(0, 0))
    paths: tuple[DrawnPath, ...] = ()
    answer: Answer = NO_ANSWER
    launching: tuple[ArmProgress, ...] = ()
    timeline: tuple[TimelineItem, ...] = ()
    omitted: int = 0  # the number of items before ``timeline``
    first_at: float | None = None
    problems: dict[str, tuple[str, float]] = field(default_factory=dict)
    machines: dict[str, str] = field(default_factory=dict)
    journal: MergedJournal | None = None
    columns: tuple[Column, ...] = ()

    @property
    def head(self) -> ExperimentHead:
        """The experiment's status with facts that the journal lacks: the current name, requests, problems."""
        head = self.view.head or ExperimentHead(self.key, "", "", 0, Phase.WAITING, 0.0)
        head = replace(head, title=self.title or head.title)
        requested, last_at = (self.journal.requested, self.journal.last_at) if self.journal is not None else ((), 0.0)
        return show_problems(apply_requests(head, requested, last_at, self.round), self.problems, self.machines)


@dataclass(frozen=True, slots=True)
class _Changes:
    """New entries for a feed, with the view and the merged journal that result from them. ``written`` are the ids of
    the experiments and parts that have new entries."""

    view: View
    entries: tuple[Entry, ...]
    journal: MergedJournal | None = None
    written: tuple[str, ...] = ()


class ExperimentHub(FeedHub[ExperimentFeed]):
    """The feeds of experiments, by experiment id."""

    def __init__(self) -> None:
        super().__init__()
        #: The experiment to which each part belongs, if it has clients; and the notes about machines by name.
        self._parents: dict[str, str] = {}
        self._notes: dict[str, MachineNote] = {}

    def _new_feed(self, key: str) -> ExperimentFeed:
        return ExperimentFeed(key, machines={key: SERVER})

    def _feeds_of(self, experiment: str) -> list[ExperimentFeed]:
        """Returns the feeds that show an experiment or part: its own and, for a part, that of the whole experiment."""
        keys = (experiment, self._parents.get(experiment, ""))
        return [self._feeds[key] for key in keys if key in self._feeds]

    def wake(self, key: str) -> None:
        """Marks as dirty each feed that shows an experiment, so that the experiment's new entries are read."""
        for feed in self._feeds_of(key):
            super().wake(feed.key)

    def leave(self, key: str, client: Client) -> None:
        """Removes a client from a feed. Ends the feed if it has no other client."""
        super().leave(key, client)
        if key not in self._feeds:
            self._parents = {part: parent for part, parent in self._parents.items() if parent != key}

    def followed(self) -> dict[str, int]:
        """Returns, by id of the experiment or part, the number of the last entry that all its feeds have read."""
        shown: dict[str, int] = {}
        for feed in self._feeds.values():
            if feed.loaded:
                own = {feed.key: feed.view.seq} if feed.journal is None else {feed.key: 0, **feed.journal.seen}
                shown |= {key: min(seq, shown.get(key, seq)) for key, seq in own.items()}
        return shown

    @property
    def divided(self) -> tuple[str, ...]:
        """The ids of the experiments that run on several machines and have clients."""
        return tuple(feed.key for feed in self._feeds.values() if feed.journal is not None)

    def note_machines(self, notes: dict[str, MachineNote], requested: Mapping[str, tuple[Phase, ...]]) -> None:
        """Shows notes about machines (by name) at the machines' columns. ``requested`` contains the requested phases of
        the parts, for each experiment whose parts are all to be stopped or removed."""
        self._notes = notes
        for feed in self._feeds.values():
            columns, phases = mark_machines(feed.view.columns, notes), requested.get(feed.key, ())
            if feed.journal is not None and (columns, phases) != (feed.columns, feed.journal.requested):
                feed.columns, feed.journal.requested = columns, phases
                self._send_snapshot(feed)

    def wake_missed(self, experiment: str) -> None:
        """Marks the feeds of an experiment as dirty, because it has new entries for which no wake-up arrived."""
        idle = [feed for feed in self._feeds_of(experiment) if not feed.dirty.is_set()]
        self.missed += bool(idle)
        for feed in idle:
            feed.dirty.set()

    def rename(self, experiment: str, title: str) -> None:
        """Sends the new title of an experiment to its clients."""
        feed = self._feeds.get(experiment)
        if feed is not None and feed.title != title:
            feed.title = title
            self._send_snapshot(feed)

    def trouble(self, experiment: str, problem: str, sender: str = SERVER) -> None:
        """Shows ``problem``, the reason why a journal cannot be written. If it is empty, shows that the journal can be
        written again. ``sender`` is the machine that reports this. A machine that has joined the installation may
        report only about its experiments."""
        for feed in self._feeds_of(experiment):
            before, since = feed.problems.get(experiment, ("", shared_clock()))
            machine = feed.machines.get(experiment)
            if problem == before or machine is None or sender not in {SERVER, machine}:
                continue
            if problem:
                feed.problems[experiment] = (problem, since)
            else:
                del feed.problems[experiment]
            self._send_snapshot(feed)

    def _send_snapshot(self, feed: ExperimentFeed) -> None:
        """Sends all clients a snapshot after a change outside the journal, because a patch needs an entry's number."""
        feed.snapshot = ""
        feed.launching = launch_progress(feed.head, feed.view.columns)
        if feed.loaded:
            self._broadcast(feed, self._snapshot(feed))

    async def _run_feed(self, feed: ExperimentFeed) -> None:
        while True:
            await feed.dirty.wait()
            feed.dirty.clear()
            try:
                if (changes := await self._read(feed)) is None:
                    self._close_feed(feed)
                    return
                if changes.entries or not feed.loaded:
                    asks = _is_outdated(feed, changes.view) and has_taken_port(changes.view.columns)
                    others = await to_db_thread(other_port_users, feed.key) if asks else ()
                    self._advance(feed, changes, others)
                    for key in changes.written:  # it can be written again, even if that wake-up was lost
                        self.trouble(key, "")
            except Exception:
                log.exception("the journal of experiment %s could not be read; trying again", feed.key)
                asyncio.get_running_loop().call_later(feed_hub.RETRY_S, feed.dirty.set)

    async def _read(self, feed: ExperimentFeed) -> _Changes | None:
        """Returns the entries that a feed does not show yet; None if the experiment no longer exists."""
        if not feed.loaded:
            record = await to_db_thread(experiment_store.load, feed.key)
            return None if record is None else await self._read_first(feed, record)
        if feed.journal is not None:
            changes = await to_db_thread(_read_parts, feed.journal, feed.view)
        else:
            entries = recent_entries.recent(feed.key, feed.view.seq)
            if entries is None:
                entries = await to_feed_thread(journal_store.entries, feed.key, feed.view.seq)
            changes = _Changes(replay(entries, feed.view), entries, written=(feed.key,) if entries else ())
        if not changes.entries:
            record = await to_db_thread(experiment_store.load, feed.key)
            if record is None:
                return None
            if feed.journal is None:
                feed.machines = {feed.key: record.machine or SERVER}
            if feed.round != record.round:
                feed.round = record.round
                self._send_snapshot(feed)
        return changes

    async def _read_first(self, feed: ExperimentFeed, record: Record) -> _Changes:
        feed.title, feed.round = feed.title or record.title, record.round
        journal = await to_db_thread(parts.merged_journal, record) if record.parts else None
        if journal is not None:
            feed.machines = {part.id: part.machine for part in journal.parts}
            self._parents |= dict.fromkeys(feed.machines, feed.key)  # for wake-ups while the journals are read
            view, counted = View(), CountedEntries(partial(parts.read_journal, journal))
        else:
            feed.machines = {feed.key: record.machine or SERVER}
            view = experiment_store.waiting_view(record)
            if (recent := recent_entries.recent(feed.key, feed.view.seq)) is not None:
                return _Changes(replay(recent, view), recent)
            counted = CountedEntries(partial(journal_store.read, feed.key, view.seq))
        view, entries, feed.first_at = await to_db_thread(parts.fold, counted, view, SHOWN_ITEMS)
        feed.omitted = counted.items - len(entries)
        return _Changes(view, entries, journal)

    def _advance(self, feed: ExperimentFeed, changes: _Changes, others: tuple[PortUser, ...]) -> None:
        before, view, entries = replace(feed), changes.view, changes.entries
        if _is_outdated(before, view):
            rows = compare(view.columns, view.states, feed.cache)
            pictures = draw(view.columns, view.states)
            paths = draw_paths(view.columns, view.states, pictures)
            feed.answer = write_answer(view.columns, rows, view.states, others)
            feed.rows, feed.pictures, feed.paths = rows, pictures, paths
        # The feed changes only from here on: after an error above, the same entries are read again.
        feed.view, feed.journal = view, changes.journal
        feed.columns = mark_machines(view.columns, self._notes)
        feed.launching = launch_progress(feed.head, view.columns)
        if feed.first_at is None and entries:
            feed.first_at = entries[0].at
        items = tuple(timeline_item(entry, feed.first_at or entry.at) for entry in entries if entry.text)
        feed.omitted += max(0, len(feed.timeline + items) - SHOWN_ITEMS)
        feed.timeline = (feed.timeline + items)[-SHOWN_ITEMS:]
        feed.snapshot = ""
        if not feed.loaded:
            feed.loaded = True
            self._broadcast(feed, self._snapshot(feed))
            return
        wide, narrow = (new if new != old else None for new, old in zip(feed.pictures, before.pictures, strict=True))
        patch = Patch(
            base=before.view.seq,
            seq=view.seq,
            rows=diff_rows(before.rows, feed.rows),
            experiment=feed.head if feed.head != before.head else None,
            columns=feed.columns if feed.columns != before.columns else None,
            wide=wide,
            narrow=narrow,
            timeline=items,
            paths=feed.paths if feed.paths != before.paths else None,
            answer=feed.answer if feed.answer != before.answer else None,
            launching=feed.launching if feed.launching != before.launching else None,
            trial=view.trial if view.trial != before.view.trial else None,
        )
        self._broadcast(feed, encode(patch).decode())
        self.encoded += 1
        for entry in entries:
            if entry.cause.source is Source.KERNEL:
                self.lag.add(shared_clock() - entry.at)

    def _encode_snapshot(self, feed: ExperimentFeed) -> str:
        shown = (feed.head, feed.columns, feed.rows, *feed.pictures, feed.timeline, feed.paths, feed.answer)
        return encode(Snapshot(feed.view.seq, *shown, feed.launching, feed.view.trial, feed.omitted)).decode()


def _read_parts(before: MergedJournal, view: View) -> _Changes:
    """Adds the parts' new entries to a copy of the merged journal ``before``. ``view`` lacks these entries."""
    journal = before.copy()
    journal.requested = parts.requested_phases((journal.head.id,)).get(journal.head.id, ())
    entries = tuple(journal.extend(parts.read_parts(dict(journal.seen))))
    written = tuple(part for part, seq in journal.seen.items() if seq > before.seen[part])
    return _Changes(replay(entries, view), entries, journal, written)


def _is_outdated(feed: ExperimentFeed, view: View) -> bool:
    """Returns whether the feed's rows, diagram and answer are outdated: ``view`` has other states or columns."""
    return view.states is not feed.view.states or view.columns is not feed.view.columns or not feed.loaded


hub = ExperimentHub()
