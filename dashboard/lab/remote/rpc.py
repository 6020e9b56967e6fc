"""The functions of the lab that web processes call by name, and how their arguments and results are encoded.

If lab and web process are one process, the functions are called directly. Otherwise the name and the arguments are sent
in messages (``lab.remote.replies``, ``lab.remote.call_server``), so msgspec must be able to encode every argument and
result. The lab supplies the first argument: a ``Lab``, the ``GroupHosts``, the ``Terminals``, or the ``Supervisor``
that holds all of them.
"""

import inspect
import typing
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from dashboard.core.operations.deployment import CALL_TIMEOUT_S
from dashboard.core.terminal.limits import TerminalError
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.protocol import EngineError, EngineUnreachable
from dashboard.lab.experiments import actions
from dashboard.lab.experiments.actions import NotRunningError
from dashboard.lab.machines import blocks, requests, swarm
from dashboard.lab.reconciler import Lab
from dashboard.lab.remote import experiment_calls, lan_calls, training_calls, workshop_calls
from dashboard.lab.supervisor import LabUnavailableError, Supervisor
from dashboard.lab.terminal.terminals import Terminals
from dashboard.lab.training.group_labs import HostUnavailableError
from dashboard.lab.training.hosts import GroupHosts
from dashboard.lab.workshops.step import StepLockedError
from dashboard.store.training.hosts import NoHostError, QuotaError

type Function = Callable[..., Any]


class LabFailedError(RuntimeError):
    """The lab failed with an unexpected error while it executed a call; the lab's log has the traceback."""


#: The errors that are sent to the caller, by name; every other error becomes LabFailedError.
ERRORS: dict[str, type[Exception]] = {
    error.__name__: error
    for error in (
        EngineError,
        EngineUnreachable,
        HostUnavailableError,
        LabUnavailableError,
        LabFailedError,
        NoHostError,
        StepLockedError,
        NotRunningError,
        PrivateHostError,
        QuotaError,
        TerminalError,
        TimeoutError,
        ValueError,
    )
}


class CallMessage(msgspec.Struct, frozen=True, array_like=True):
    """The message that calls a function: its name, and its arguments as JSON. ``host`` is the id of the private host
    whose lab is called, empty for the server's own lab."""

    name: str
    host: str
    arguments: str


class EncodedError(msgspec.Struct, frozen=True, array_like=True):
    """An error in a message: the name of its class, its text and, for an EngineError, the HTTP status."""

    name: str
    text: str
    status: int = 0


@dataclass(frozen=True)
class RemoteCall:
    """A function that can be called remotely. Its type hints determine how arguments and the result are encoded.
    ``timeout_s`` is the time after which a caller treats the result as lost, in seconds."""

    function: Function
    timeout_s: float = CALL_TIMEOUT_S

    @cached_property
    def name(self) -> str:
        """The function's name in messages, such as ``experiment_calls.doctor``: the last part of its module's name, a
        dot, and its own name."""
        return f"{self.function.__module__.rpartition('.')[2]}.{self.function.__name__}"

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return typing.get_type_hints(self.function)

    @cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self.function)

    @cached_property
    def _parameters(self) -> tuple[str, ...]:
        return tuple(self._signature.parameters)

    @cached_property
    def target(self) -> type:
        """The type of the first argument, which the lab supplies. For the methods of ``Terminals``, it is
        ``Terminals``."""
        target: type = self._hints.get(self._parameters[0], Terminals)
        return target

    @cached_property
    def _arguments(self) -> Any:
        return tuple.__class_getitem__(tuple(self._hints[name] for name in self._parameters[1:]))

    # Decoders are cached, because creating one takes longer than decoding a message.

    @cached_property
    def _arguments_decoder(self) -> msgspec.json.Decoder[Any]:
        return msgspec.json.Decoder(self._arguments)

    @cached_property
    def _result_decoder(self) -> msgspec.json.Decoder[Any]:
        return msgspec.json.Decoder(self._hints["return"])

    @cached_property
    def streams(self) -> bool:
        """Whether the function streams its output instead of returning a result."""
        return typing.get_origin(self._hints["return"]) is AsyncGenerator

    def encode_arguments(self, *args: Any, **kwargs: Any) -> str:
        """Returns the arguments as JSON, completed with the defaults. Raises TypeError if they do not match the
        signature."""
        if kwargs or len(args) != len(self._parameters) - 1:  # to bind takes longer than to encode
            bound = self._signature.bind(None, *args, **kwargs)
            bound.apply_defaults()
            args = tuple(bound.arguments.values())[1:]
        return msgspec.json.encode(args).decode()

    def decode_arguments(self, text: str) -> tuple[Any, ...]:
        """Decodes the arguments, without the first one, from JSON. Raises msgspec.ValidationError if they do not match
        the signature."""
        arguments: tuple[Any, ...] = self._arguments_decoder.decode(text)
        return arguments

    def encode_result(self, value: object) -> str:
        """Returns the result as JSON."""
        return msgspec.json.encode(value).decode()

    def decode_result(self, text: str) -> Any:
        """Decodes the result from JSON."""
        return self._result_decoder.decode(text)


def encode_error(error: Exception) -> str:
    """Returns an error as JSON. If its class is not in ``ERRORS``, encodes it as the nearest base class in ``ERRORS``,
    or as LabFailedError."""
    for error_type in type(error).__mro__:
        if error_type in ERRORS.values():
            status = error.status if isinstance(error, EngineError) else 0
            return msgspec.json.encode(EncodedError(error_type.__name__, str(error), status)).decode()
    text = f"The lab failed: {type(error).__name__}. See its log."
    return msgspec.json.encode(EncodedError(LabFailedError.__name__, text)).decode()


def decode_error(text: str) -> Exception:
    """Returns the error that ``encode_error`` has encoded, to be raised in the caller's process."""
    encoded = msgspec.json.decode(text, type=EncodedError)
    error_type = ERRORS.get(encoded.name, LabFailedError)
    if issubclass(error_type, EngineError):
        return error_type(encoded.text, encoded.status)
    return error_type(encoded.text)


_FUNCTIONS = (
    experiment_calls.capacity,
    experiment_calls.doctor,
    experiment_calls.expect_hosts,
    experiment_calls.host_state,
    experiment_calls.launch_options,
    experiment_calls.port_holders,
    experiment_calls.start_engine,
    experiment_calls.trace_paths,
    lan_calls.create_lan,
    lan_calls.lans,
    lan_calls.remove_lan,
    lan_calls.set_swarm,
    lan_calls.start_lan,
    training_calls.containers,
    actions.inspect,
    actions.try_paths,
    blocks.carry_blocks,
    blocks.end_client,
    blocks.measure_block,
    blocks.next_block,
    requests.request_address,
    requests.request_from_arm,
    requests.try_with,
    requests.view_machine,
    requests.watch_clients,
    swarm.join_swarm,
    swarm.leave_swarm,
    swarm.open_swarm,
    swarm.view_swarm,
    swarm.wait_until_stored,
    workshop_calls.act,
    workshop_calls.picture,
    workshop_calls.view_host,
    workshop_calls.prepare_images,
    workshop_calls.truth,
)
#: The methods of terminals with their timeouts, which are short, so that a window whose message was lost reconnects
#: soon. ``read_from`` additionally waits for output, and ``write`` for the shell.
_TERMINAL_METHODS: dict[Function, float] = {
    Terminals.attach: 6.0,
    Terminals.start: 6.0,
    Terminals.read_from: 9.0,
    Terminals.write: 66.0,
    Terminals.interrupt: 6.0,
    Terminals.resize: 6.0,
    Terminals.detach: 6.0,
}
_BY_FUNCTION: dict[Function, RemoteCall] = {
    **{function: RemoteCall(function) for function in _FUNCTIONS},
    **{method: RemoteCall(method, timeout_s) for method, timeout_s in _TERMINAL_METHODS.items()},
}
REMOTE_CALLS: dict[str, RemoteCall] = {call.name: call for call in _BY_FUNCTION.values()}
#: The calls about the swarm of the machines, which only web processes of a team deployment may make: a manager of the
#: swarm can become root on its members.
BETWEEN_MACHINES = frozenset(name for name, call in REMOTE_CALLS.items() if call.function.__module__ == swarm.__name__)


def find_call(function: Function) -> RemoteCall | None:
    """Returns the remote call of a function; None if the function cannot be called remotely."""
    return _BY_FUNCTION.get(function)


async def call_target(supervisor: Supervisor, call: RemoteCall, host: str = "") -> Any:
    """Returns the object that becomes the first argument of a call. ``host`` is the id of the private host whose lab is
    called, empty for the server's own lab. Raises LabUnavailableError or EngineError."""
    if call.target is Supervisor:
        return supervisor
    if call.target is GroupHosts:
        return supervisor.group_hosts
    if call.target is Terminals:
        return supervisor.terminals
    if call.target is Lab:
        return await supervisor.lab_of(host)
    raise TypeError(f"no target of type {call.target}")
