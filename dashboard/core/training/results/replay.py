"""Builds the replay of a session: a list of entries that a browser plays one by one.

Each entry has a time, a sentence, and the slots that it sets. The state at a position is the value of each slot after
all entries up to this position (``static/dashboard/js/core/training/session_track.js``). Histograms and stages are
computed by the same functions as in the live session.

The slots of the session are ``head`` (step, gate, pace, locked, timer, closed, and doors: whether newcomers must be
admitted), ``answers`` (to the question of the step), ``said`` (the last hint to all) and ``mirror`` (the comparison
that is shown, and the row at which the instructor points). The slot ``p3`` is for the fourth participant (present,
hand), ``c3.1`` for the fourth participant in the second step (stage, failed checks).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from dashboard.core.reports.replay.interning import differences
from dashboard.core.training.pacing import Pace
from dashboard.core.training.predictions import counted_predictions, histogram
from dashboard.core.training.results.events import INSTRUCTOR, TimelineEntry, display_names, timeline
from dashboard.core.training.results.facts import SessionFacts, stage_of
from dashboard.core.training.session import HostsFor
from dashboard.core.workshops.model import Workshop
from dashboard.core.workshops.progress import EMPTY, Event, StepRecord, predicted_in

TRACK_VERSION = 1
#: More than a session of 500 produces in a day. Later entries are left out, and the file reports it.
MAX_ENTRIES = 100_000

Slot = tuple[str, object]
Patch = list[Slot]


@dataclass(frozen=True, slots=True)
class MirroredExperiment:
    """An experiment that the instructor showed to all. ``track`` is its replay as ``core.reports.replay.recording``
    encodes it; if this replay was left out, ``track`` is empty and ``reason`` tells why."""

    title: str
    track: bytes = b""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ReplayEntry:
    """One entry of the replay. ``patch`` contains the slots that it sets, with their new values."""

    at: float
    text: str
    patch: Patch


class ReplayBuilder:
    """Converts a timeline, entry by entry, to a replay, and keeps the state of the session between the entries."""

    def __init__(
        self, facts: SessionFacts, workshop: Workshop, mirrors: Mapping[str, MirroredExperiment], names: Sequence[str]
    ) -> None:
        self._facts, self._workshop, self._names = facts, workshop, names
        self._mirrors = list(mirrors)
        self._titles = {key: mirror.title for key, mirror in mirrors.items()}
        self._index = {step.slug: number for number, step in enumerate(workshop.steps)}
        self._records: list[dict[str, StepRecord]] = [{} for _ in facts.participants]
        self._present = [False] * len(facts.participants)
        self._hand = [False] * len(facts.participants)
        self._revealed: dict[str, float] = {}
        self._head: dict[str, object] = {
            "step": 0,
            "gate": 0,
            "pace": facts.first_pace,
            "locked": False,
            "doors": False,
            "timer": 0.0,
            "closed": False,
        }
        self._step = 0  # the number of the instructor's step
        self._mirror: tuple[str, str] = ("", "")
        self._renamed = {one.name: name for one, name in zip(facts.participants, names, strict=True)}
        longest_first = sorted(self._renamed, key=len, reverse=True)
        self._any_name = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")

    def apply(self, entry: TimelineEntry) -> ReplayEntry:
        """Updates the state with the next entry of the timeline; returns the entry of the replay."""
        if entry.who == INSTRUCTOR:
            text, patch = self._on_session_event(entry.event)
        else:
            text, patch = self._on_participant_event(entry.who, entry.event)
        return ReplayEntry(entry.at, text, patch)

    def _with_names(self, text: str) -> str:
        """Replaces participants' names in a text of the instructor by the names that this replay shows."""
        if all(name == renamed for name, renamed in self._renamed.items()):
            return text
        return self._any_name.sub(lambda found: self._renamed[found[0]], text)

    def _title(self, slug: str) -> str:
        number = self._index.get(slug)
        return self._workshop.steps[number].title if number is not None else slug

    def _answers(self, at: float) -> Slot:
        step = self._workshop.steps[self._step]
        revealed_at = self._revealed.get(step.slug, 0.0)
        truth = self._facts.truth(step.slug, at) if revealed_at else ""
        records = (known[step.slug] for known in self._records if step.slug in known)
        predictions = counted_predictions(records, revealed_at)
        shown = histogram(step, predictions, truth, revealed=revealed_at > 0)
        if shown is None:
            return "answers", None
        return "answers", {
            "step": self._step,
            "counts": [choice.count for choice in shown.choices],
            "answered": shown.answered,
            "revealed": shown.revealed,
            "known": any(choice.right is not None for choice in shown.choices),
            "right": next((number for number, choice in enumerate(shown.choices) if choice.right), None),
            "truth": shown.truth,
            "read": shown.read,
        }

    def _set_head(self, **values: object) -> Patch:
        self._head = {**self._head, **values}
        return [("head", self._head)]

    def _on_session_event(self, event: Event) -> tuple[str, Patch]:
        yes, detail = event.detail == "True", event.detail
        match event.kind:
            case "created":
                return "Session created", [*self._set_head(), self._answers(event.at)]
            case "step":
                self._step = self._index.get(detail, 0)
                patch = self._set_head(step=self._step)
                return f"Step {self._step + 1}: {self._title(detail)}", [*patch, self._answers(event.at)]
            case "gate":
                text = f"Steps open up to: {self._title(detail)}" if self._head["pace"] == Pace.GATED else ""
                return text, self._set_head(gate=self._index.get(detail, 0))
            case "pace" if detail == self._head["pace"]:
                return "", []
            case "pace":
                text = "Everybody at their own pace" if detail == Pace.GATED else "All follow the instructor"
                return text, self._set_head(pace=detail)
            case "locked":
                return "Step locked" if yes else "Step unlocked", self._set_head(locked=yes)
            case "doors":
                return "Newcomers must be admitted" if yes else "Joining is open", self._set_head(doors=yes)
            case "timer":
                return self._on_timer(event)
            case "revealed":
                return self._on_reveal(event)
            case "mirror":
                self._mirror = (detail, "")
                text = f"Shown to all: {self._titles.get(detail, detail)}" if detail else "Comparison hidden"
                return text, [self._mirror_slot()]
            case "pointer":
                self._mirror = (self._mirror[0], detail)
                return f"Highlighted row: {detail.replace('/', ' ')}" if detail else "", [self._mirror_slot()]
            case "told":
                text = self._with_names(detail)
                return f"To all: {text}", [("said", text)]
            case "closed":
                return "Session closed", self._set_head(closed=True, timer=0.0)
        return "", []

    def _on_timer(self, event: Event) -> tuple[str, Patch]:
        try:
            ends = float(event.detail)
        except ValueError:
            ends = 0.0
        if not ends and not self._head["timer"]:
            return "", []
        text = f"Timer: {max(0.0, ends - event.at) / 60:.3g} minutes" if ends else "Timer stopped"
        return text, self._set_head(timer=ends)

    def _mirror_slot(self) -> Slot:
        experiment, pointer = self._mirror
        if experiment not in self._mirrors:
            return "mirror", None
        return "mirror", {"track": self._mirrors.index(experiment), "pointer": pointer}

    def _on_reveal(self, event: Event) -> tuple[str, Patch]:
        slug = event.detail
        if slug in self._revealed or slug not in self._index:
            return "", []
        self._revealed[slug] = event.at
        patch = [self._answers(event.at)]
        if self._facts.hosts == HostsFor.NONE:
            patch += [self._pass(who, slug, event.at) for who in self._facts.members(event.at)]
        return f"Answer revealed: {self._title(slug)}", patch

    def _cell(self, who: int, slug: str) -> Slot:
        number = self._index[slug]
        record = self._records[who].get(slug, EMPTY)
        return f"c{who}.{number}", [str(stage_of(self._workshop.steps[number], record)), record.attempts]

    def _pass(self, who: int, slug: str, at: float) -> Slot:
        record = self._records[who].get(slug, EMPTY)
        self._records[who][slug] = replace(record, passed_at=record.passed_at or at)
        return self._cell(who, slug)

    def _presence(self, who: int) -> Slot:
        return f"p{who}", [self._present[who], self._hand[who]]

    def _on_participant_event(self, who: int, event: Event) -> tuple[str, Patch]:
        name = self._names[who]
        match event.kind:
            case "joined" | "back":
                self._present[who] = True
                done = self._revealed if self._facts.hosts == HostsFor.NONE and event.kind == "joined" else {}
                text = f"{name} joins" if event.kind == "joined" else f"{name} is back"
                return text, [self._presence(who), *(self._pass(who, step, event.at) for step in done)]
            case "left" | "away":
                self._present[who] = self._hand[who] = False
                return f"{name} leaves" if event.kind == "left" else f"{name} is away", [self._presence(who)]
            case "hand":
                self._hand[who] = True
                return f"{name} raises a hand", [self._presence(who)]
            case "lowered":
                self._hand[who] = False
                return "", [self._presence(who)]
            case "asked":
                named = name == self._facts.participants[who].name
                return f"{name} asks: {event.detail}" if named else f"{name} asks", []
            case "told":
                return f"To {name}: {self._with_names(event.detail)}", []
        return self._on_step_event(who, name, event) if event.step in self._index else ("", [])

    def _on_step_event(self, who: int, name: str, event: Event) -> tuple[str, Patch]:
        slug, at = event.step, event.at
        title, records = self._title(slug), self._records[who]
        record, is_current = records.get(slug, EMPTY), self._step == self._index[slug]
        match event.kind:
            case "opened":
                records[slug] = replace(record, opened_at=at)
                return "", [self._cell(who, slug)]
            case "predicted":
                stored = self._facts.participants[who].records.get(slug, EMPTY).prediction
                records[slug] = replace(record, prediction=stored, predicted_at=at, opened_at=record.opened_at or at)
                words = predicted_in(self._workshop.steps[self._index[slug]], records[slug])
                answers = [self._answers(at)] if is_current else []
                return f"{name} predicts: {words} ({title})", [self._cell(who, slug), *answers]
            case "did":
                return f"{name} runs: {event.detail}", []
            case "checked":
                records[slug] = replace(record, attempts=record.attempts + 1)
                return f"{name}: failed check ({title}): {event.detail}", [self._cell(who, slug)]
            case "hint":
                return f"{name} opens a hint ({title})", []
            case "passed":
                answers = [self._answers(at)] if slug in self._revealed and is_current else []
                return f"{name} is done: {title}", [self._pass(who, slug, at), *answers]
        return "", []


def replay_entries(
    facts: SessionFacts, workshop: Workshop, mirrors: Mapping[str, MirroredExperiment], names: Sequence[str]
) -> Iterator[ReplayEntry]:
    """Yields the entries of the replay that have a text or set a slot. ``mirrors`` are the experiments that were shown
    to all, by id. ``names`` are the participants' names in the replay, in the order of joining."""
    builder = ReplayBuilder(facts, workshop, mirrors, names)
    for recorded in timeline(facts):
        if (entry := builder.apply(recorded)).text or entry.patch:
            yield entry


def build_replay(
    facts: SessionFacts, workshop: Workshop, mirrors: Mapping[str, MirroredExperiment], *, anonymous: bool
) -> dict[str, object]:
    """Returns the whole replay, ready to be encoded as JSON. If ``anonymous`` is true, participants have numbers
    instead of names, and their questions are left out."""
    names = display_names(facts, anonymous=anonymous)
    entries: list[ReplayEntry] = []
    truncated = False
    for entry in replay_entries(facts, workshop, mirrors, names):
        if truncated := len(entries) >= MAX_ENTRIES:
            break
        entries.append(entry)
    first_at = entries[0].at if entries else facts.created_at
    return {
        "v": TRACK_VERSION,
        "kind": "class",
        "first_at": first_at,
        "truncated": truncated,
        "people": names,
        "steps": [
            {
                "title": step.title,
                "question": step.predict.question if step.predict else "",
                "choices": step.predict.choices if step.predict else (),
            }
            for step in workshop.steps
        ],
        "times": differences([round((entry.at - first_at) * 1000) for entry in entries]),
        "texts": [entry.text for entry in entries],
        "patches": [entry.patch for entry in entries],
        "mirrors": [
            {"title": mirror.title, "why": mirror.reason, "track": msgspec.Raw(mirror.track) if mirror.track else None}
            for mirror in mirrors.values()
        ],
    }
