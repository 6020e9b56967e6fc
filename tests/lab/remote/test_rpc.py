"""Arguments, results and errors of remote calls survive the encoding."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import msgspec
import pytest

from dashboard.core.operations.deployment import CALL_TIMEOUT_S
from dashboard.core.training.host_plan import HostStage
from dashboard.engine.protocol import EngineError, EngineUnreachable
from dashboard.lab.experiments import actions
from dashboard.lab.remote import experiment_calls, workshop_calls
from dashboard.lab.remote.rpc import REMOTE_CALLS, LabFailedError, RemoteCall, decode_error, encode_error, find_call
from dashboard.lab.remote.workshop_calls import ActionResult, StepAccess, StepAction
from dashboard.lab.supervisor import LabUnavailableError
from dashboard.lab.terminal.terminals import Terminals
from dashboard.lab.training.hosts import HostState
from dashboard.lab.workshops.commands import CommandResult
from dashboard.store.reports.snapshot import NotSavedError
from dashboard.web.terminal import consumers

WEB = Path(experiment_calls.__file__).parents[2] / "web"


@pytest.mark.parametrize("name", REMOTE_CALLS)
def test_msgspec_encodes_arguments_and_results_of_every_call(name: str) -> None:
    call = REMOTE_CALLS[name]
    msgspec.json.Decoder(call._arguments)
    if not call.streams:
        msgspec.json.Decoder(call._hints["return"])
    assert call.target.__name__ in {"Lab", "GroupHosts", "Supervisor", "Terminals"}
    assert (call.target is Terminals) == name.startswith("terminals.")


def test_arguments_are_decoded_with_their_defaults() -> None:
    call = find_call(workshop_calls.act)
    assert call is not None
    access = StepAccess("seat:a", "host-network", "d1", "s-1", 3)
    sent = call.encode_arguments(access, StepAction.RUN, "launch", number=2)
    assert call.decode_arguments(sent) == (access, StepAction.RUN, "launch", 2, False)
    result = ActionResult(done=CommandResult("docker ps", "a\0b", ("w",)), ran=2)
    assert call.decode_result(call.encode_result(result)) == result
    assert find_call(actions.inspect) is not None
    with pytest.raises(TypeError):
        call.encode_arguments("too", "few")


def test_the_signature_and_the_decoders_of_a_call_are_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    call = RemoteCall(experiment_calls.host_state)
    state = HostState(HostStage.READY)
    sent, answer = call.encode_arguments("s1-1"), call.encode_result(state)
    assert (call.decode_arguments(sent), call.decode_result(answer)) == (("s1-1",), state)

    def prepare_again(*_args: object, **_options: object) -> None:
        pytest.fail("prepared again")

    monkeypatch.setattr(inspect, "signature", prepare_again)
    monkeypatch.setattr(msgspec.json, "Decoder", prepare_again)
    monkeypatch.setattr(msgspec.json, "decode", prepare_again)
    assert call.encode_arguments("s1-1") == sent
    assert (call.decode_arguments(sent), call.decode_result(answer)) == (("s1-1",), state)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EngineError("no such image", 404), EngineError),
        (EngineUnreachable("no answer", 503), EngineUnreachable),
        (actions.NotRunningError("It does not run."), actions.NotRunningError),
        (LabUnavailableError("gone"), LabUnavailableError),
        (NotSavedError("a subclass of ValueError"), ValueError),
        (KeyError("a bug"), LabFailedError),
    ],
)
def test_errors_keep_class_message_and_status(error: Exception, expected: type[Exception]) -> None:
    back = decode_error(encode_error(error))
    assert type(back) is expected
    if expected is not LabFailedError:
        assert str(back) == str(error)
    if isinstance(error, EngineError):
        assert isinstance(back, EngineError)
        assert back.status == error.status


def test_pages_call_only_registered_functions_of_the_lab() -> None:
    """The function passed to ``ask``, ``ask_about`` and ``ask_of`` is always a registered one, not a lambda. No page
    uses the lab itself."""
    known = {call.function.__name__ for call in REMOTE_CALLS.values()}
    calls = 0
    for path in WEB.rglob("*.py"):
        if path.name == "service.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not (
                isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "service"
            ):
                continue
            assert node.attr not in {"lab", "context", "group_hosts", "lab_of"}, f"{path.name}: {node.attr}"
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            place = {"ask": 0, "ask_about": 1, "ask_of": 1}.get(node.func.attr)
            target = node.func.value
            if place is None or not (isinstance(target, ast.Name) and target.id == "service"):
                continue
            call = node.args[place]
            name = call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "")
            assert name in known, f"{path.name} asks {ast.unparse(call)}"
            calls += 1
    assert calls > 8


def test_the_websocket_of_a_terminal_calls_only_registered_methods() -> None:
    tree = ast.parse((WEB / "terminal" / "consumers.py").read_text())
    called = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Terminals"
    }
    assert {f"terminals.{name}" for name in called} == {name for name in REMOTE_CALLS if name.startswith("terminals.")}


def test_a_window_waits_longer_than_the_call_itself() -> None:
    read_from = find_call(Terminals.read_from)
    assert read_from is not None
    assert consumers.WAIT_S < read_from.timeout_s < CALL_TIMEOUT_S
