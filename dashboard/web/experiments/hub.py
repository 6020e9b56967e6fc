"""Follows the journals of experiments: turns new entries into one patch, however many they are."""

import asyncio
import logging
import time
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
from dashboard.core.experiments.machines.groups import mark_absent
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
from dashboard.core.experiments.timeline import timeline_item
from dashboard.core.operations.machines import SERVER
from dashboard.store import experiments as experiment_store
from dashboard.store import parts, recent_entries
from dashboard.store.experiments import Record
from dashboard.store.port_users import other_port_users
from dashboard.web import feed_hub
from dashboard.web.feed_hub import Client, Feed, FeedHub
from dashboard.web.http.database import in_database

log = logging.getLogger(__name__)
SHOWN_ITEMS = 200


@dataclass(slots=True)
class ExperimentFeed(Feed):
    """An experiment as its clients show it. ``title`` is its name, which no journal entry changes. ``problem``: the
    journal itself cannot be written. ``machine``: where it runs. ``journal`` is that of all machines, if there are
    several. ``columns`` are those of the view, with notes about their machines."""

    title: str = ""
    view: View = field(default_factory=View)
    rows: tuple[Row, ...] = ()
    cache: RowCache = field(default_factory=RowCache)
    pictures: tuple[Picture, Picture] = (Picture(0, 0), Picture(0, 0))
    paths: tuple[DrawnPath, ...] = ()
    answer: Answer = NO_ANSWER
    launching: tuple[ArmProgress, ...] = ()
    timeline: tuple[TimelineItem, ...] = ()
    first_at: float | None = None
    problem: str = ""
    problem_since: float | None = None
    machine: str = SERVER
    journal: MergedJournal | None = None
    columns: tuple[Column, ...] = ()

    @property
    def head(self) -> ExperimentHead:
        """The head, with the current name and the problem that no journal entry could record."""
        head = self.view.head or ExperimentHead(self.key, "", "", 0, Phase.WAITING, 0.0)
        head = replace(head, title=self.title or head.title)
        return replace(head, problem=self.problem, problem_since=self.problem_since) if self.problem else head


class ExperimentHub(FeedHub[ExperimentFeed]):
    """Feeds by experiment."""

    def __init__(self) -> None:
        super().__init__()
        #: The feed that shows a part of an experiment on several machines, and what to know about machines by name.
        self._parents: dict[str, str] = {}
        self._notes: dict[str, str] = {}

    def _new_feed(self, key: str) -> ExperimentFeed:
        return ExperimentFeed(key)

    def _feed_of(self, experiment: str) -> ExperimentFeed | None:
        """The feed of an experiment, or of the one that it is a part of."""
        return self._feeds.get(self._parents.get(experiment, experiment))

    def wake(self, key: str) -> None:
        """Marks the feed of an experiment or of a part as dirty."""
        super().wake(self._parents.get(key, key))

    def leave(self, key: str, client: Client) -> None:
        """Removes a client; without clients a feed ends."""
        super().leave(key, client)
        if key not in self._feeds:
            self._parents = {part: parent for part, parent in self._parents.items() if parent != key}

    def followed(self) -> dict[str, int]:
        """The number of the newest entry shown, by experiment that has clients, and by part of one."""
        shown: dict[str, int] = {}
        for feed in self._feeds.values():
            if feed.loaded:
                shown |= {feed.key: feed.view.seq} if feed.journal is None else {feed.key: 0, **feed.journal.seen}
        return shown

    @property
    def follows_machines(self) -> bool:
        """Whether an experiment on several machines has clients."""
        return any(feed.journal is not None for feed in self._feeds.values())

    def note_machines(self, notes: dict[str, str]) -> None:
        """Shows at the columns of machines why nothing changes there."""
        self._notes = notes
        for feed in self._feeds.values():
            columns = mark_absent(feed.view.columns, notes)
            if feed.journal is not None and feed.loaded and columns != feed.columns:
                feed.columns = columns
                self._send_snapshot(feed)

    def wake_missed(self, experiment: str) -> None:
        """Marks a feed as dirty that has new entries, although no wake-up came."""
        feed = self._feed_of(experiment)
        if feed is not None and not feed.dirty.is_set():
            self.missed += 1
            feed.dirty.set()

    def rename(self, experiment: str, title: str) -> None:
        """Shows another name of the experiment."""
        feed = self._feeds.get(experiment)
        if feed is None or feed.title == title:
            return
        feed.title = title
        if feed.loaded:
            self._send_snapshot(feed)

    def trouble(self, experiment: str, problem: str, sender: str = SERVER) -> None:
        """Shows that the journal cannot be written, or (with an empty text) that it can be again. ``sender`` is the
        machine that reports it: one that has joined may report only about its own experiments."""
        feed = self._feed_of(experiment)
        if feed is None or feed.problem == problem or sender not in {SERVER, _machine_of(feed, experiment)}:
            return
        feed.problem_since = None if not problem else feed.problem_since or time.time()
        feed.problem = problem
        if feed.loaded:
            self._send_snapshot(feed)

    def _send_snapshot(self, feed: ExperimentFeed) -> None:
        """Sends a change that no journal entry carries: a patch needs an entry's number, a snapshot does not."""
        feed.snapshot = ""
        self._broadcast(feed, self._snapshot(feed))

    async def _run_feed(self, feed: ExperimentFeed) -> None:
        while True:
            await feed.dirty.wait()
            feed.dirty.clear()
            try:
                found = await self._read(feed)
                if found is None:
                    self._close_feed(feed)
                    return
                view, entries = found
                if entries or not feed.loaded:
                    others = await _other_users(feed.key, view) if _is_outdated(feed, view) else ()
                    self._advance(feed, entries, view, others)
                    if entries:  # the journal is written again; the wake-up for that may have been lost
                        self.trouble(feed.key, "")
            except Exception:
                log.exception("the journal of experiment %s could not be read; trying again", feed.key)
                asyncio.get_running_loop().call_later(feed_hub.RETRY_S, feed.dirty.set)

    async def _read(self, feed: ExperimentFeed) -> tuple[View, tuple[Entry, ...]] | None:
        """The view of a feed after its new entries, and these; None if the experiment no longer exists."""
        if not feed.loaded:
            record = await in_database(experiment_store.load, feed.key)
            return None if record is None else await self._read_first(feed, record)
        entries: tuple[Entry, ...] | None
        if feed.journal is not None:
            entries = await in_database(_read_parts, feed.journal)
        elif (entries := recent_entries.recent(feed.key, feed.view.seq)) is None:
            entries = await in_database(experiment_store.entries, feed.key, feed.view.seq)
        if not entries:
            record = await in_database(experiment_store.load, feed.key)
            if record is None:
                return None
            feed.machine = record.machine or SERVER
        return replay(entries, feed.view), entries

    async def _read_first(self, feed: ExperimentFeed, record: Record) -> tuple[View, tuple[Entry, ...]]:
        feed.machine = record.machine or SERVER
        feed.title = feed.title or record.title
        if record.parts:
            journal = parts.merged_journal(record)
            read = partial(parts.read_journal, journal)
            view, entries, feed.first_at = await in_database(parts.fold, read, View(), SHOWN_ITEMS)
            feed.journal = journal
            self._parents |= dict.fromkeys(journal.seen, feed.key)
            return view, entries
        view = experiment_store.waiting_view(record)
        recent = recent_entries.recent(feed.key, feed.view.seq)
        if recent is not None:
            return replay(recent, view), recent
        read = partial(experiment_store.read, feed.key, view.seq)
        view, entries, feed.first_at = await in_database(parts.fold, read, view, SHOWN_ITEMS)
        return view, entries

    def _advance(
        self, feed: ExperimentFeed, entries: tuple[Entry, ...], view: View, others: tuple[PortUser, ...]
    ) -> None:
        before = replace(feed)
        feed.view = view
        feed.columns = mark_absent(view.columns, self._notes)
        if _is_outdated(before, view):
            feed.rows = compare(view.columns, view.states, feed.cache)
            feed.pictures = draw(view.columns, view.states)
            feed.paths = draw_paths(view.columns, view.states, feed.pictures)
            feed.answer = write_answer(view.columns, feed.rows, view.states, others)
        feed.launching = launch_progress(feed.head, view.columns)
        if feed.first_at is None and entries:
            feed.first_at = entries[0].at
        items = tuple(timeline_item(entry, feed.first_at or entry.at) for entry in entries if entry.text)
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
        text = encode(patch).decode()
        self.encoded += 1
        self._broadcast(feed, text)
        now = time.time()
        for entry in entries:
            if entry.cause.source is Source.KERNEL:
                self.lag.add(now - entry.at)

    def _encode_snapshot(self, feed: ExperimentFeed) -> str:
        view, (wide, narrow) = feed.view, feed.pictures
        message = Snapshot(
            view.seq,
            feed.head,
            feed.columns,
            feed.rows,
            wide,
            narrow,
            feed.timeline,
            feed.paths,
            feed.answer,
            feed.launching,
            view.trial,
        )
        return encode(message).decode()


def _machine_of(feed: ExperimentFeed, experiment: str) -> str:
    """The machine of a feed, or of one of its parts."""
    found = feed.journal.parts if feed.journal is not None else ()
    return next((part.machine for part in found if part.id == experiment), feed.machine)


def _read_parts(journal: MergedJournal) -> tuple[Entry, ...]:
    """The new entries of all machines. What cannot be read whole is read again."""
    return tuple(journal.extend(list(parts.read_parts(dict(journal.seen)))))


def _is_outdated(feed: ExperimentFeed, view: View) -> bool:
    """Whether the rows, the diagram and the answer of the feed are not those of ``view``."""
    return view.states is not feed.view.states or view.columns is not feed.view.columns or not feed.loaded


async def _other_users(experiment: str, view: View) -> tuple[PortUser, ...]:
    """The containers of other experiments, if an arm may not run because one of them holds its port."""
    if not has_taken_port(view.columns):
        return ()
    return await in_database(other_port_users, experiment)


hub = ExperimentHub()
