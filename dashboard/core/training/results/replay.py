"""The way of a class, entry by entry, as a browser replays it.

Each entry is a moment, a sentence, and what is different since: values of slots. What was shown at a position is what
the slots hold after all entries up to it (``static/dashboard/js/core/training/session_track.js``). What they hold is said by the
same functions that said it live.

Slots: ``head`` (step, gate, pace, locked, doors, timer, closed), ``answers`` (those to the question of the step),
``said`` (the last hint to all), ``mirror`` (the comparison that is shown, and the row pointed at), ``p3`` (the fourth
person: here, hand), ``c3.1`` (the fourth person in the second step: stage, failed checks).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from dashboard.core.reports.replay.interning import differences
from dashboard.core.training.pacing import Pace
from dashboard.core.training.predictions import histogram
from dashboard.core.training.results.events import NOBODY, Happening, happenings, names_of
from dashboard.core.training.results.facts import Deed, SessionFacts, stage_of
from dashboard.core.training.results.report import predicted_in
from dashboard.core.training.session import HostsFor
from dashboard.core.workshops.model import Workshop
from dashboard.core.workshops.progress import EMPTY, StepRecord

TRACK_VERSION = 1
#: More than a class of 500 makes in a day; what comes after is left out, and that is said.
MOST_ENTRIES = 100_000

Patch = list[tuple[str, object]]


@dataclass(frozen=True, slots=True)
class Mirror:
    """An experiment that was shown to all: its ``track`` as ``core.reports.replay.recording`` encodes it; empty, and ``why``, where it is
    left out."""

    title: str
    track: bytes = b""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of the track."""

    at: float
    who: int
    text: str
    patch: Patch


class Fold:
    """What was shown, going from one happening to the next."""

    def __init__(self, facts: SessionFacts, workshop: Workshop, mirrors: Mapping[str, Mirror], names: Sequence[str]):
        self.facts, self.workshop, self.names = facts, workshop, names
        self.mirrors = list(mirrors)
        self.titles = {key: one.title for key, one in mirrors.items()}
        self._index = {step.slug: number for number, step in enumerate(workshop.steps)}
        self._records: list[dict[str, StepRecord]] = [{} for _ in facts.people]
        self._here = [False] * len(facts.people)
        self._hand = [False] * len(facts.people)
        self._revealed: list[str] = []
        changed = any(one.kind == "pace" for one in facts.events)
        self._head: dict[str, object] = {
            "step": 0,
            "gate": 0,
            "pace": str(Pace.TOGETHER) if changed else facts.pace,
            "locked": False,
            "doors": False,
            "timer": 0.0,
            "closed": False,
        }
        self._now = 0  # the instructor's step
        self._mirror: tuple[str, str] = ("", "")
        self._hides = dict(zip((one.name for one in facts.people), names, strict=True))
        longest = sorted(self._hides, key=len, reverse=True)
        self._names = re.compile(rf"(?<!\w)(?:{'|'.join(re.escape(one) for one in longest)})(?!\w)")

    def step(self, one: Happening) -> Moment:
        """One entry."""
        act: Callable[[Happening], tuple[str, Patch]] = self._instructor if one.who == NOBODY else self._person
        text, patch = act(one)
        return Moment(one.at, one.who, text, patch)

    def hidden(self, text: str) -> str:
        """A text that the instructor wrote, with people called as they are called here."""
        if all(name == shown for name, shown in self._hides.items()):
            return text
        return self._names.sub(lambda found: self._hides[found[0]], text)

    def _title(self, slug: str) -> str:
        number = self._index.get(slug)
        return self.workshop.steps[number].title if number is not None else slug

    def _answers(self, at: float) -> tuple[str, object]:
        step = self.workshop.steps[self._now]
        given = [one[step.slug].prediction for one in self._records if step.slug in one]
        revealed = step.slug in self._revealed
        truth = self.facts.truth(step.slug, at) if revealed else ""
        found = histogram(step, (one for one in given if one is not None), truth, revealed=revealed)
        if found is None:
            return "answers", None
        right = next((number for number, one in enumerate(found.choices) if one.right), None)
        known = any(one.right is not None for one in found.choices)
        return "answers", {
            "step": self._now,
            "counts": [one.count for one in found.choices],
            "answered": found.answered,
            "revealed": found.revealed,
            "known": known,
            "right": right,
            "truth": found.truth,
            "read": found.read,
        }

    def _set_head(self, **values: object) -> Patch:
        self._head = {**self._head, **values}
        return [("head", self._head)]

    def _number(self, slug: str) -> int:
        return self._index.get(slug, 0)

    def _instructor(self, one: Happening) -> tuple[str, Patch]:
        deed = one.deed
        yes = deed.detail == "True"
        match deed.kind:
            case "created":
                return "The session is made", [*self._set_head(), self._answers(one.at)]
            case "step":
                self._now = self._number(deed.detail)
                patch = self._set_head(step=self._now)
                return f"Step {self._now + 1}: {self._title(deed.detail)}", [*patch, self._answers(one.at)]
            case "gate":
                text = f"Open up to: {self._title(deed.detail)}" if self._head["pace"] == "gated" else ""
                return text, self._set_head(gate=self._number(deed.detail))
            case "pace":
                text = "Everybody at their own pace" if deed.detail == "gated" else "All follow the instructor"
                return text, self._set_head(pace=deed.detail)
            case "locked":
                return "The step is locked" if yes else "The step is open", self._set_head(locked=yes)
            case "doors":
                return "The doors are shut" if yes else "The doors are open", self._set_head(doors=yes)
            case "timer":
                return self._timer(one)
            case "revealed":
                return self._reveal(one)
            case "mirror":
                self._mirror = (deed.detail, "")
                title = self.titles.get(deed.detail, deed.detail)
                return f"Shown to all: {title}" if deed.detail else "No comparison is shown any more", [self._shown()]
            case "pointer":
                self._mirror = (self._mirror[0], deed.detail)
                return f"Pointed at: {deed.detail.replace('/', ' ')}" if deed.detail else "", [self._shown()]
            case "told":
                return f"To all: {self.hidden(deed.detail)}", [("said", self.hidden(deed.detail))]
            case "closed":
                return "The session is closed", self._set_head(closed=True)
        return "", []

    def _timer(self, one: Happening) -> tuple[str, Patch]:
        try:
            ends = float(one.deed.detail)
        except ValueError:
            ends = 0.0
        if not ends and not self._head["timer"]:
            return "", []
        text = f"A timer: {max(0.0, ends - one.at) / 60:.3g} minutes" if ends else "The timer is off"
        return text, self._set_head(timer=ends)

    def _shown(self) -> tuple[str, object]:
        experiment, pointer = self._mirror
        if experiment not in self.mirrors:
            return "mirror", None
        return "mirror", {"track": self.mirrors.index(experiment), "pointer": pointer}

    def _reveal(self, one: Happening) -> tuple[str, Patch]:
        slug = one.deed.detail
        if slug in self._revealed or slug not in self._index:
            return "", []
        self._revealed.append(slug)
        patch = [self._answers(one.at)]
        if self.facts.hosts == HostsFor.NONE:
            patch += [self._pass(who, slug, one.at) for who, here in enumerate(self._here) if here]
        return f"The answer is shown: {self._title(slug)}", patch

    def _cell(self, who: int, slug: str) -> tuple[str, object]:
        number = self._index[slug]
        record = self._records[who].get(slug, EMPTY)
        return f"c{who}.{number}", [str(stage_of(self.workshop.steps[number], record)), record.attempts]

    def _pass(self, who: int, slug: str, at: float) -> tuple[str, object]:
        record = self._records[who].get(slug, EMPTY)
        self._records[who][slug] = replace(record, passed_at=record.passed_at or at)
        return self._cell(who, slug)

    def _present(self, who: int) -> tuple[str, object]:
        return f"p{who}", [self._here[who], self._hand[who]]

    def _person(self, one: Happening) -> tuple[str, Patch]:
        who, deed = one.who, one.deed
        name, slug = self.names[who], deed.step
        match deed.kind:
            case "joined" | "back":
                self._here[who] = True
                revealed = self._revealed if self.facts.hosts == HostsFor.NONE and deed.kind == "joined" else []
                text = f"{name} joins" if deed.kind == "joined" else f"{name} is back"
                return text, [self._present(who), *(self._pass(who, step, one.at) for step in revealed)]
            case "left" | "away":
                self._here[who] = self._hand[who] = False
                return f"{name} leaves" if deed.kind == "left" else f"{name} is away", [self._present(who)]
            case "hand":
                self._hand[who] = True
                return f"{name} raises a hand", [self._present(who)]
            case "lowered":
                self._hand[who] = False
                return "", [self._present(who)]
            case "asked":
                return f"{name} asks: {deed.detail}" if name == self.facts.people[who].name else f"{name} asks", []
            case "told":
                return f"To {name}: {self.hidden(deed.detail)}", []
        return self._in_step(who, name, deed, one.at) if slug in self._index else ("", [])

    def _in_step(self, who: int, name: str, deed: Deed, at: float) -> tuple[str, Patch]:
        slug = deed.step
        title, records = self._title(slug), self._records[who]
        record = records.get(slug, EMPTY)
        match deed.kind:
            case "opened":
                records[slug] = replace(record, opened_at=at)
                return "", [self._cell(who, slug)]
            case "predicted":
                kept = self.facts.people[who].records.get(slug, EMPTY).prediction
                records[slug] = replace(record, prediction=kept, opened_at=record.opened_at or at)
                step = self.workshop.steps[self._index[slug]]
                now = [self._answers(at)] if self._now == self._index[slug] else []
                return f"{name} expects: {predicted_in(step, records[slug])} ({title})", [self._cell(who, slug), *now]
            case "did":
                return f"{name} runs: {deed.detail}", []
            case "checked":
                records[slug] = replace(record, attempts=record.attempts + 1)
                return f"{name}: not yet ({title}): {deed.detail}", [self._cell(who, slug)]
            case "hint":
                return f"{name} unfolds a hint ({title})", []
            case "passed":
                now = [self._answers(at)] if slug in self._revealed and self._now == self._index[slug] else []
                return f"{name} is done: {title}", [self._pass(who, slug, at), *now]
        return "", []


def moments(
    facts: SessionFacts, workshop: Workshop, mirrors: Mapping[str, Mirror], names: Sequence[str]
) -> Iterator[Moment]:
    """Every entry that says or shows something."""
    fold = Fold(facts, workshop, mirrors, names)
    for one in happenings(facts):
        moment = fold.step(one)
        if moment.text or moment.patch:
            yield moment


def build_class_track(
    facts: SessionFacts, workshop: Workshop, mirrors: Mapping[str, Mirror], *, anonymous: bool
) -> dict[str, object]:
    """The whole track, ready to be encoded. ``anonymous``: people are numbers, and nobody's questions are in it."""
    names = names_of(facts, anonymous=anonymous)
    found: list[Moment] = []
    truncated = False
    for moment in moments(facts, workshop, mirrors, names):
        if truncated := len(found) >= MOST_ENTRIES:
            break
        found.append(moment)
    first_at = found[0].at if found else facts.created_at
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
        "times": differences([round((one.at - first_at) * 1000) for one in found]),
        "texts": [one.text for one in found],
        "patches": [one.patch for one in found],
        "mirrors": [
            {"title": one.title, "why": one.why, "track": msgspec.Raw(one.track) if one.track else None}
            for one in mirrors.values()
        ],
    }
