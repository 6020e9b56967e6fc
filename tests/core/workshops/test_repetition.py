"""Which commands bring a new host to the state of the previous one."""

from __future__ import annotations

from dashboard.core.workshops.commands import parse_command
from dashboard.core.workshops.model import Command, Step, Workshop
from dashboard.core.workshops.progress import Event, StepRecord
from dashboard.core.workshops.repetition import History, commands_to_repeat
from dashboard.lab.workshops.files import BUILT_IN, read_folder

RUN = "docker run -d --name web --network bridge nginx"
CURL, STATUS = "curl -i http://127.0.0.1/", "ufw status verbose"
STOP, REMOVE = "docker stop web", "docker rm -f web"


def command(line: str) -> Command:
    return Command(line, parse_command(line))


WORKSHOP = Workshop(
    "w",
    "W",
    "About.",
    (
        Step("launch", "L", "Text.", run=(command(RUN), command(CURL), command(STATUS))),
        Step("stop", "S", "Text.", run=(command(STOP), command(REMOVE))),
    ),
)


def lines(*histories: History) -> list[str]:
    return [each.line for each in commands_to_repeat(WORKSHOP, histories)]


def did(at: float, step: str, line: str) -> Event:
    return Event(at, "did", step, line)


def test_buttons_are_repeated_in_order_and_only_what_changed_the_host() -> None:
    events = [did(1, "launch", RUN), did(2, "launch", CURL), Event(3, "passed", "launch"), did(4, "stop", STOP)]
    assert lines(History({}, events)) == [RUN, STOP]


def test_a_failed_command_is_not_repeated() -> None:
    assert lines(History({}, [did(1, "launch", f"{RUN}: the name is in use")])) == []


def test_a_step_that_was_typed_is_repeated_with_its_commands_when_it_was_done() -> None:
    records = {"launch": StepRecord(passed_at=2.0)}
    assert lines(History(records, [did(3, "stop", STOP)])) == [RUN, STOP]
    assert lines(History({"launch": StepRecord(opened_at=1.0)}, [])) == []


def test_a_button_that_only_reads_does_not_mean_that_nothing_was_typed() -> None:
    records = {"launch": StepRecord(passed_at=2.0)}
    for line in (CURL, STATUS):
        assert lines(History(records, [did(1, "launch", line), did(3, "stop", STOP)])) == [RUN, STOP]


def test_the_members_of_a_team_are_one_history() -> None:
    first = History({"launch": StepRecord(passed_at=2.0)}, [did(1, "launch", RUN), did(5, "stop", REMOVE)])
    second = History({"launch": StepRecord(passed_at=3.0)}, [did(4, "stop", STOP)])
    assert lines(first, second) == [RUN, STOP, REMOVE]


def test_events_of_steps_that_no_longer_exist_are_left_out() -> None:
    assert lines(History({"gone": StepRecord(passed_at=1.0)}, [did(1, "gone", RUN), did(2, "launch", "true")])) == []


def test_every_built_in_workshop_can_be_repeated_from_its_end() -> None:
    for folder in BUILT_IN.iterdir():
        workshop = read_folder(folder).workshop
        if workshop is None:
            continue
        records = {step.slug: StepRecord(passed_at=float(number + 1)) for number, step in enumerate(workshop.steps)}
        repeated = [each.line for each in commands_to_repeat(workshop, [History(records, ())])]
        assert repeated
        assert repeated == [each.line for step in workshop.steps for each in step.run if each.line in repeated]
