"""Follows the journals of experiments: turns new entries into one patch, however many they are."""

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass, field, replace

from dashboard.core.comparison.answer.answer import has_taken_port, write_answer
from dashboard.core.comparison.rows import RowCache, compare
from dashboard.core.diagram.path_overlay import draw_paths
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.journal import Entry, Source, View, advance, replay
from dashboard.core.experiments.launching.ports import PortUser
from dashboard.core.experiments.launching.progress import ArmProgress, launch_progress
from dashboard.core.experiments.messages import NO_ANSWER, Answer, ExperimentHead, Phase, Row, TimelineItem, encode
from dashboard.core.experiments.picture import DrawnPath, Picture
from dashboard.core.experiments.stream import Patch, Snapshot, diff_rows
from dashboard.core.experiments.timeline import timeline_item
from dashboard.core.operations.machines import SERVER
from dashboard.store import experiments as experiment_store
from dashboard.store import recent_entries
from dashboard.store.port_users import other_port_users
from dashboard.web import feed_hub
from dashboard.web.feed_hub import Feed, FeedHub
from dashboard.web.http.database import in_database

log = logging.getLogger(__name__)
SHOWN_ITEMS = 200


@dataclass(slots=True)
class ExperimentFeed(Feed):
    """An experiment as its clients show it. ``title`` is its name, which no journal entry changes. ``problem``: the
    journal itself cannot be written. ``machine``: where it runs."""

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

    @property
    def head(self) -> ExperimentHead:
        """The head, with the current name and the problem that no journal entry could record."""
        head = self.view.head or ExperimentHead(self.key, "", "", 0, Phase.WAITING, 0.0)
        head = replace(head, title=self.title or head.title)
        return replace(head, problem=self.problem, problem_since=self.problem_since) if self.problem else head


class ExperimentHub(FeedHub[ExperimentFeed]):
    """Feeds by experiment."""

    def _new_feed(self, key: str) -> ExperimentFeed:
        return ExperimentFeed(key)

    def followed(self) -> dict[str, int]:
        """The number of the newest entry shown, by experiment that has clients."""
        return {feed.key: feed.view.seq for feed in self._feeds.values() if feed.loaded}

    def wake_missed(self, experiment: str) -> None:
        """Marks a feed as dirty that has new entries, although no wake-up came."""
        feed = self._feeds.get(experiment)
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
        feed = self._feeds.get(experiment)
        if feed is None or feed.problem == problem or sender not in {SERVER, feed.machine}:
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
                entries = recent_entries.recent(feed.key, feed.view.seq)
                if entries is None and feed.loaded:
                    entries = await in_database(experiment_store.entries, feed.key, feed.view.seq)
                view = feed.view
                if not entries or not feed.loaded:
                    record = await in_database(experiment_store.load, feed.key)
                    if record is None:
                        self._close_feed(feed)
                        return
                    feed.machine = record.machine or SERVER
                    if not feed.loaded:
                        feed.title = feed.title or record.title
                        view = experiment_store.waiting_view(record)
                        if entries is None:
                            view, entries, feed.first_at = await in_database(_read_journal, feed.key, view)
                if entries or not feed.loaded:
                    view = replay(entries or (), view)
                    others = await _other_users(feed.key, view) if _is_outdated(feed, view) else ()
                    self._advance(feed, entries or (), view, others)
                    if entries:  # the journal is written again; the wake-up for that may have been lost
                        self.trouble(feed.key, "")
            except Exception:
                log.exception("the journal of experiment %s could not be read; trying again", feed.key)
                asyncio.get_running_loop().call_later(feed_hub.RETRY_S, feed.dirty.set)

    def _advance(
        self, feed: ExperimentFeed, entries: tuple[Entry, ...], view: View, others: tuple[PortUser, ...]
    ) -> None:
        before = replace(feed)
        feed.view = view
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
            columns=view.columns if view.columns != before.view.columns else None,
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
            view.columns,
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


def _read_journal(experiment: str, view: View) -> tuple[View, tuple[Entry, ...], float | None]:
    """The newest view, the entries of the timeline, and the time of the first entry; ``view`` is the one before it. A
    long journal is never in memory as a whole."""
    first_at: float | None = None
    shown: deque[Entry] = deque(maxlen=SHOWN_ITEMS)
    for entry in experiment_store.read(experiment, view.seq):
        view = advance(view, entry)
        first_at = entry.at if first_at is None else first_at
        if entry.text:
            shown.append(entry)
    return view, tuple(shown), first_at


def _is_outdated(feed: ExperimentFeed, view: View) -> bool:
    """Whether the rows, the diagram and the answer of the feed are not those of ``view``."""
    return view.states is not feed.view.states or view.columns is not feed.view.columns or not feed.loaded


async def _other_users(experiment: str, view: View) -> tuple[PortUser, ...]:
    """The containers of other experiments, if an arm may not run because one of them holds its port."""
    if not has_taken_port(view.columns):
        return ()
    return await in_database(other_port_users, experiment)


hub = ExperimentHub()
