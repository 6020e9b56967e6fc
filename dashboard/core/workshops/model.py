"""The data model of a workshop: steps with a text, commands, a prediction and checks (``docs/workshops.md``)."""

from dataclasses import dataclass

from dashboard.core.experiments.docker_run import RunCommand
from dashboard.core.modes import Mode
from dashboard.core.workshops.actions import LABELS, Action, ChangeFirewall, ChangeSwarm, Curl, OnOtherHost
from dashboard.core.workshops.checks import firewall
from dashboard.core.workshops.checks.check_types import Check, Finding
from dashboard.core.workshops.checks.vocabulary import EVENTS, judge
from dashboard.core.workshops.launches import Launch, TypedLine
from dashboard.core.workshops.observation import Observation, is_image, mode_of
from dashboard.core.workshops.truth_readings import Reading, read


@dataclass(frozen=True, slots=True)
class Problem:
    """An error in the folder of a workshop. ``line`` counts from 1; 0 means the whole file."""

    file: str
    line: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.sentence}" if self.line else f"{self.file}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class Command:
    """One line to type, and the action that its button performs."""

    line: str
    action: Action

    @property
    def label(self) -> str:
        """The label of the button; empty if the command has no button."""
        action = self.action.action if isinstance(self.action, OnOtherHost) else self.action
        return LABELS.get(type(action), "")

    @property
    def terminal_reason(self) -> str:
        """Why the command has no button; empty if it has one."""
        return self.action.reason if isinstance(self.action, TypedLine) else ""

    @property
    def button_only(self) -> bool:
        """Whether the command cannot be typed in a shell on the host: a request from another machine, or ufw, which is
        a program in the data folder."""
        match self.action:
            case Curl(outside=outside):
                return outside
            case ChangeFirewall(argv=argv):
                return argv[0] == "ufw"
            case _:
                return False

    @property
    def on_other_host(self) -> bool:
        """Whether the command runs on the other private host of a LAN."""
        return isinstance(self.action, OnOtherHost)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A question that is asked before the commands are run. The right choice is either the one with the index
    ``answer``, or the one whose entry in ``values`` equals the value that is read for ``reading``."""

    question: str
    choices: tuple[str, ...]
    answer: int | None = None
    reading: Reading | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommonMistake:
    """Advice that is shown while the step is not done and the check ``when`` holds."""

    when: Check
    advice: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a workshop.

    ``text`` and ``reveal`` are Markdown; ``reveal`` is shown once the step is done. ``folded`` is true if the step is a
    challenge: its commands are hidden until the participant opens them. ``measure`` are the modes whose paths the
    step's button measures, empty if the step has no such button.
    """

    slug: str
    title: str
    text: str
    reveal: str = ""
    run: tuple[Command, ...] = ()
    predict: Prediction | None = None
    checks: tuple[Check, ...] = ()
    hints: tuple[str, ...] = ()
    mistakes: tuple[CommonMistake, ...] = ()
    folded: bool = False
    measure: tuple[Mode, ...] = ()

    @property
    def lookups(self) -> tuple[str, ...]:
        """The names that an observation must look up so that the step can be judged."""
        arguments = [check.arguments for check in self._all_checks]
        if self.predict is not None and self.predict.reading is not None:
            arguments.append(self.predict.reading.arguments)
        return tuple(dict.fromkeys(str(each["lookup"]) for each in arguments if "lookup" in each))

    @property
    def reads_rules(self) -> bool:
        """Whether a check of the step needs the machine's firewall rules."""
        return any(check.kind in firewall.CHECK_TYPES for check in self._all_checks)

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports at which an observation must look for requests."""
        arguments = [check.arguments for check in self._all_checks if check.kind == "requested"]
        if self.predict is not None and self.predict.reading is not None and self.predict.reading.kind == "client-seen":
            arguments.append(self.predict.reading.arguments)
        return tuple(dict.fromkeys(int(each["port"]) for each in arguments))

    @property
    def _all_checks(self) -> tuple[Check, ...]:
        return (*self.checks, *(mistake.when for mistake in self.mistakes))


@dataclass(frozen=True, slots=True)
class Workshop:
    """One workshop. ``minutes`` is its length, 0 if not given. Lists of workshops are sorted by ``order``. ``digest``
    changes with every change of a file."""

    slug: str
    title: str
    summary: str
    steps: tuple[Step, ...]
    minutes: int = 0
    order: int = 1000
    digest: str = ""

    def index(self, slug: str) -> int | None:
        """Returns the index of the step with this slug, None if it does not exist."""
        return next((number for number, step in enumerate(self.steps) if step.slug == slug), None)

    @property
    def images(self) -> tuple[str, ...]:
        """The images that the commands of the workshop launch."""
        return tuple(dict.fromkeys(run.image for run in self._launches))

    @property
    def modes(self) -> frozenset[str]:
        """The modes of the containers that the commands and measurements of the workshop launch."""
        measured = (mode for step in self.steps for mode in step.measure)
        return frozenset((*(mode_of(run.network, {}) for run in self._launches), *measured))

    @property
    def needs_port_80(self) -> bool:
        """Whether a command launches nginx in host mode, where it listens on port 80 of the machine."""
        return any(
            run.network == Mode.HOST and is_image(run.image, "nginx") and "Cmd" not in run.config
            for run in self._launches
        )

    @property
    def needs_lan(self) -> bool:
        """Whether a command runs on another private host of the LAN."""
        return any(command.on_other_host for command in self._commands)

    @property
    def needs_private_host(self) -> bool:
        """Whether a command is refused on an engine that is not a private host."""
        return self.needs_lan or any(
            command.button_only or isinstance(command.action, ChangeFirewall | ChangeSwarm)
            for command in self._commands
        )

    @property
    def _commands(self) -> tuple[Command, ...]:
        return tuple(command for step in self.steps for command in step.run)

    @property
    def _launches(self) -> tuple[RunCommand, ...]:
        return tuple(command.action.run for command in self._commands if isinstance(command.action, Launch))


@dataclass(frozen=True, slots=True)
class StepJudgement:
    """The findings of all checks of a step. ``noted`` maps the index of a check to the text of the event that the check
    observed, now or before. ``truth`` is the value that was read for the prediction's ``reading``, empty if it is
    unknown."""

    findings: tuple[Finding, ...]
    noted: dict[str, str]
    truth: str = ""

    @property
    def ok(self) -> bool:
        """Whether all checks hold."""
        return all(finding.ok for finding in self.findings)

    @property
    def failing(self) -> int | None:
        """The index of the first check that fails; None if all hold."""
        return next((number for number, finding in enumerate(self.findings) if not finding.ok), None)


def judge_step(step: Step, observation: Observation, noted: dict[str, str], truth: str = "") -> StepJudgement:
    """Judges all checks of a step.

    ``noted`` is from the previous judgement: it has the events that the checks have observed, and these stay true.
    ``truth`` is the value that was last read for the prediction's ``reading``. It is kept if no value can be read now.
    """
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
    current = read(reading, observation) if reading is not None else ""
    return StepJudgement(tuple(findings), kept, current or truth)


def truth_in(step: Step, observation: Observation) -> str:
    """Returns the value that is read for the prediction's ``reading``; empty if it cannot be read, or if a check of the
    step fails, because then the step has not been run. Checks of events are ignored: a request leaves a trace only for
    a minute."""
    judgement = judge_step(step, observation, {})
    states = (
        finding for check, finding in zip(step.checks, judgement.findings, strict=True) if check.kind not in EVENTS
    )
    return judgement.truth if all(finding.ok for finding in states) else ""


def correct_choice(prediction: Prediction, truth: str) -> int | None:
    """Returns the index of the right choice; None if the truth is unknown or no choice matches it. ``truth`` is the
    value that was read for the prediction's ``reading``."""
    if prediction.answer is not None:
        return prediction.answer
    return prediction.values.index(truth) if truth in prediction.values else None
