"""Terminals of labs in other processes, including those on other machines."""

from typing import Any

from dashboard.core.terminal.limits import TerminalOwner
from dashboard.lab.remote.terminal_calls import TERMINAL_CALLS, TerminalCalls
from dashboard.lab.terminal.terminals import Terminals
from dashboard.store.training.hosts import machine_of_participant
from dashboard.web.http.database import to_db_thread
from dashboard.web.operations.remote_lab import RemoteLabs

#: The timeout of a call, in addition to the time that the call itself waits.
TERMINAL_TIMEOUT_S = 6.0


class RemoteTerminals(TerminalCalls):
    """The terminals of all labs. The shell of a participant is on the machine of the group's host."""

    def __init__(self, labs: RemoteLabs) -> None:
        self._labs = labs
        self._machines: dict[str, str | None] = {}

    async def _call(self, name: str, *arguments: Any, wait_s: float = 0.0) -> Any:
        call = TERMINAL_CALLS[name]
        is_first = isinstance(arguments[0], TerminalOwner)
        participant = arguments[0].participant if is_first else arguments[0]
        if is_first or participant not in self._machines:
            self._machines[participant] = await to_db_thread(machine_of_participant, participant)
        machine = self._machines[participant]
        if call.function is Terminals.detach:
            del self._machines[participant]  # another window of the participant finds it again
        lab = self._labs.of(machine)
        return await lab.call_within(wait_s + TERMINAL_TIMEOUT_S, call, "", call.encode_arguments(*arguments))
