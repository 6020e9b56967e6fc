"""A workshop as a value: steps with a text, commands, a prediction and checks. ``docs/workshops.md`` is its form."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.core.workshops.checks.check_types import Check, Finding
from dashboard.core.workshops.checks.vocabulary import EVENTS, judge
from dashboard.core.workshops.commands import LABELS, Action, Launch
from dashboard.core.workshops.observation import Observation
from dashboard.core.workshops.truth_readings import Reading, read


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a workshop's folder, where. ``line`` counts from 1; 0 means the whole file."""

    file: str
    line: int
    sentence: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class Command:
    """One line to type, and what the button beside it does."""

    line: str
    action: Action

    @property
    def label(self) -> str:
        """What stands on the button."""
        return LABELS[type(self.action)]


@dataclass(frozen=True, slots=True)
class Prediction:
    """A question before the run. Either ``answer`` (an index) is the truth, or the choice whose value in ``values``
    is what ``reading`` says."""

    question: str
    choices: tuple[str, ...]
    answer: int | None = None
    reading: Reading | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WrongTurn:
    """What is said when ``when`` is so and the step is not done yet."""

    when: Check
    say: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``text`` and ``reveal`` are Markdown; ``reveal`` is shown once the step is done. ``folded`` hides the
    commands until somebody asks for them: a challenge."""

    slug: str
    title: str
    text: str
    reveal: str = ""
    run: tuple[Command, ...] = ()
    predict: Prediction | None = None
    checks: tuple[Check, ...] = ()
    hints: tuple[str, ...] = ()
    wrong: tuple[WrongTurn, ...] = ()
    folded: bool = False

    @property
    def lookups(self) -> tuple[str, ...]:
        """Names that must be looked up to judge the step."""
        asked = [check.arguments for check in (*self.checks, *(one.when for one in self.wrong))]
        if self.predict is not None and self.predict.reading is not None:
            asked.append(self.predict.reading.arguments)
        return tuple(dict.fromkeys(str(one["lookup"]) for one in asked if "lookup" in one))

    @property
    def ports(self) -> tuple[int, ...]:
        """Ports whose requests must be looked for."""
        asked = [check.arguments for check in (*self.checks, *(w.when for w in self.wrong)) if check.kind in EVENTS]
        if self.predict is not None and self.predict.reading is not None and self.predict.reading.kind == "client-seen":
            asked.append(self.predict.reading.arguments)
        return tuple(dict.fromkeys(int(one["port"]) for one in asked))


@dataclass(frozen=True, slots=True)
class Workshop:
    """A whole workshop. ``digest`` changes with any of its files; the list is sorted by ``order``."""

    slug: str
    title: str
    summary: str
    steps: tuple[Step, ...]
    minutes: int = 0
    order: int = 1000
    digest: str = ""

    def index(self, slug: str) -> int | None:
        """Which step it is, counted from 0."""
        return next((number for number, step in enumerate(self.steps) if step.slug == slug), None)

    @property
    def images(self) -> tuple[str, ...]:
        """The images that its commands launch."""
        actions = (command.action for step in self.steps for command in step.run)
        return tuple(dict.fromkeys(one.run.image for one in actions if isinstance(one, Launch)))


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a step's checks. ``noted`` holds, by the number of the check, what was seen of events, now or
    before; ``truth`` is the reading of the prediction, empty where it cannot be told."""

    findings: tuple[Finding, ...]
    noted: dict[str, str]
    truth: str = ""

    @property
    def ok(self) -> bool:
        """Whether all is as the step asks."""
        return all(one.ok for one in self.findings)

    @property
    def failing(self) -> int | None:
        """The number of the first check that fails."""
        return next((number for number, one in enumerate(self.findings) if not one.ok), None)


def judge_step(step: Step, observation: Observation, noted: dict[str, str], truth: str = "") -> Judged:
    """All checks of a step. ``noted`` and ``truth`` are what an earlier look has seen of what passes."""
    findings: list[Finding] = []
    kept = {number: text for number, text in noted.items() if number.isdigit() and int(number) < len(step.checks)}
    for number, check in enumerate(step.checks):
        finding = judge(check, observation)
        if check.kind in EVENTS:
            if finding.ok:
                kept[str(number)] = finding.observed
            elif str(number) in kept:
                finding = Finding(True, finding.expected, kept[str(number)])
        findings.append(finding)
    reading = step.predict.reading if step.predict else None
    now = read(reading, observation) if reading is not None else ""
    return Judged(tuple(findings), kept, now or truth)


def right_choice(prediction: Prediction, truth: str) -> int | None:
    """The index of the choice that is true; None if none is, or it cannot be told."""
    if prediction.answer is not None:
        return prediction.answer
    return prediction.values.index(truth) if truth in prediction.values else None
