"""dashboard.lab.remote.rpc: what is asked travels as text and comes back as it was."""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec
import pytest

from dashboard.engine.protocol import EngineError, EngineUnreachable
from dashboard.lab.experiments import actions
from dashboard.lab.remote import experiment_calls, workshop_calls
from dashboard.lab.remote.rpc import REMOTE_CALLS, LabFailedError, decode_error, encode_error, find_call
from dashboard.lab.remote.workshop_calls import ActionResult, StepAction, StepAccess
from dashboard.lab.supervisor import LabUnavailableError
from dashboard.lab.workshops.commands import Done
from dashboard.store.reports.snapshot import NotSavedError

WEB = Path(experiment_calls.__file__).parents[2] / "web"


@pytest.mark.parametrize("name", REMOTE_CALLS)
def test_arguments_and_answer_of_each_are_what_msgspec_takes(name: str) -> None:
    question = REMOTE_CALLS[name]
    msgspec.json.Decoder(question._arguments)
    if not question.streams:
        msgspec.json.Decoder(question._hints["return"])
    assert question.of.__name__ in {"Lab", "GroupHosts", "Supervisor"}


def test_arguments_come_back_with_their_defaults() -> None:
    question = find_call(workshop_calls.act)
    assert question is not None
    desk = StepAccess("seat:a", "host-network", "d1", "s-1", 3)
    sent = question.encode_arguments(desk, StepAction.RUN, "launch", number=2)
    assert question.decode_arguments(sent) == (desk, StepAction.RUN, "launch", 2, False)
    came = ActionResult(done=Done("docker ps", "a\0b", ("w",)), ran=2)
    assert question.decode_answer(question.encode_answer(came)) == came
    assert find_call(actions.inspect) is not None
    with pytest.raises(TypeError):
        question.encode_arguments("too", "few")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EngineError("no such image", 404), EngineError),
        (EngineUnreachable("nobody answers", 503), EngineUnreachable),
        (actions.NotRunningError("It does not run."), actions.NotRunningError),
        (LabUnavailableError("gone"), LabUnavailableError),
        (NotSavedError("a ValueError of its own"), ValueError),
        (KeyError("a mistake of ours"), LabFailedError),
    ],
)
def test_errors_keep_their_sentence(error: Exception, expected: type[Exception]) -> None:
    back = decode_error(encode_error(error))
    assert type(back) is expected
    if expected is not LabFailedError:
        assert str(back) == str(error)
    if isinstance(error, EngineError):
        assert isinstance(back, EngineError)
        assert back.status == error.status


def test_pages_ask_nothing_that_could_not_travel() -> None:
    """The first argument of ``ask`` and its kin is always the name of one of the questions, never a function made on
    the spot; and nobody reaches for the lab itself."""
    known = {one.function.__name__ for one in REMOTE_CALLS.values()}
    found = 0
    for path in WEB.rglob("*.py"):
        if path.name == "service.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not (
                isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "service"
            ):
                continue
            assert node.attr not in {"lab", "context", "class_hosts", "on_lab", "lab_of"}, f"{path.name}: {node.attr}"
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            place = {"ask": 0, "ask_about": 1, "ask_of": 1}.get(node.func.attr)
            target = node.func.value
            if place is None or not (isinstance(target, ast.Name) and target.id == "service"):
                continue
            question = node.args[place]
            name = question.attr if isinstance(question, ast.Attribute) else getattr(question, "id", "")
            assert name in known, f"{path.name} asks {ast.unparse(question)}"
            found += 1
    assert found > 8
