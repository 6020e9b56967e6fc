"""What the web side asks of the lab, by name: functions with plain arguments and answers.

In one process they are called as they are. From a web process elsewhere the name and the arguments go through the
database (``web.operations.remote_lab``, ``lab.remote.rpc_server``); so whatever goes in or comes out must be something that msgspec encodes.
The first argument is what the lab hands to it: a ``Lab``, the ``GroupHosts``, or the ``Supervisor`` of both.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from dashboard.core.terminal.limits import TerminalError
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.protocol import EngineError, EngineUnreachable
from dashboard.lab.experiments import actions
from dashboard.lab.experiments.actions import NotRunningError
from dashboard.lab.reconciler import Lab
from dashboard.lab.remote import experiment_calls, training_calls, workshop_calls
from dashboard.lab.supervisor import LabUnavailableError, Supervisor
from dashboard.lab.training.group_labs import HostUnavailableError
from dashboard.lab.training.hosts import GroupHosts
from dashboard.lab.workshops.step import NotOpenError
from dashboard.store.training.hosts import NoHostError, QuotaError

type Asking = Callable[..., Any]


class LabFailedError(RuntimeError):
    """The lab itself failed at a question; its log says why."""


#: What an answer may be besides an answer; everything else is a failure.
ERRORS: dict[str, type[Exception]] = {
    one.__name__: one
    for one in (
        EngineError,
        EngineUnreachable,
        HostUnavailableError,
        LabUnavailableError,
        LabFailedError,
        NoHostError,
        NotOpenError,
        NotRunningError,
        PrivateHostError,
        QuotaError,
        TerminalError,
        TimeoutError,
        ValueError,
    )
}


class Refusal(msgspec.Struct, frozen=True, array_like=True):
    """An error as it travels."""

    name: str
    text: str
    status: int = 0


@dataclass(frozen=True)
class RemoteCall:
    """One of them. ``function``'s signature says what travels."""

    function: Asking

    @cached_property
    def name(self) -> str:
        """How it is called in the database."""
        return f"{self.function.__module__.rpartition('.')[2]}.{self.function.__name__}"

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return typing.get_type_hints(self.function)

    @cached_property
    def _parameters(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.function).parameters)

    @cached_property
    def of(self) -> type:
        """What it is asked of."""
        found: type = self._hints[self._parameters[0]]
        return found

    @cached_property
    def _arguments(self) -> Any:
        return tuple.__class_getitem__(tuple(self._hints[name] for name in self._parameters[1:]))

    @cached_property
    def streams(self) -> bool:
        """Whether the answer is text that comes in pieces."""
        return typing.get_origin(self._hints["return"]) is AsyncGenerator

    def encode_arguments(self, *args: Any, **kwargs: Any) -> str:
        """As JSON, defaults filled in. TypeError if they do not fit."""
        bound = inspect.signature(self.function).bind(None, *args, **kwargs)
        bound.apply_defaults()
        return msgspec.json.encode(list(bound.arguments.values())[1:]).decode()

    def decode_arguments(self, text: str) -> tuple[Any, ...]:
        """Back from JSON. msgspec.ValidationError if they do not fit."""
        found: tuple[Any, ...] = msgspec.json.decode(text, type=self._arguments)
        return found

    def encode_answer(self, value: object) -> str:
        """As JSON."""
        return msgspec.json.encode(value).decode()

    def decode_answer(self, text: str) -> Any:
        """Back from JSON."""
        return msgspec.json.decode(text, type=self._hints["return"])


def encode_error(error: Exception) -> str:
    """An error as it travels: the nearest of ``ERRORS``, or that the lab failed."""
    for one in type(error).__mro__:
        if one in ERRORS.values():
            status = error.status if isinstance(error, EngineError) else 0
            return msgspec.json.encode(Refusal(one.__name__, str(error), status)).decode()
    said = f"The lab failed at it: {type(error).__name__}. Its log says more."
    return msgspec.json.encode(Refusal(LabFailedError.__name__, said)).decode()


def decode_error(text: str) -> Exception:
    """The error, to be raised where the question was asked."""
    found = msgspec.json.decode(text, type=Refusal)
    kind = ERRORS.get(found.name, LabFailedError)
    return kind(found.text, found.status) if issubclass(kind, EngineError) else kind(found.text)


_ALL = (
    experiment_calls.capacity,
    experiment_calls.doctor,
    experiment_calls.host_state,
    experiment_calls.surroundings,
    experiment_calls.trace_ways,
    experiment_calls.want_host,
    training_calls.containers,
    actions.inspect,
    actions.try_ways,
    workshop_calls.act,
    workshop_calls.images,
    workshop_calls.prepare_images,
    workshop_calls.truth,
)
_BY_FUNCTION: dict[Asking, RemoteCall] = {one: RemoteCall(one) for one in _ALL}
REMOTE_CALLS: dict[str, RemoteCall] = {one.name: one for one in _BY_FUNCTION.values()}


def find_call(function: Asking) -> RemoteCall | None:
    """The question that this function answers, if it is one."""
    return _BY_FUNCTION.get(function)


async def call_target(supervisor: Supervisor, question: RemoteCall, host: str = "") -> Any:
    """What the question is asked of. LabUnavailableError or EngineError."""
    if question.of is Supervisor:
        return supervisor
    if question.of is GroupHosts:
        return supervisor.class_hosts
    if question.of is Lab:
        return await supervisor.lab_of(host)
    raise TypeError(f"nobody is a {question.of}")
