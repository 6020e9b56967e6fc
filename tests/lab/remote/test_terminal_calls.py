"""The methods of terminals that are called from another process."""

from __future__ import annotations

import inspect
from typing import Any

from dashboard.lab.remote.terminal_calls import TERMINAL_CALLS, TerminalCalls
from dashboard.lab.terminal.terminals import Terminals


class Recorded(TerminalCalls):
    """Records the calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    async def _call(self, name: str, *arguments: Any, wait_s: float = 0.0) -> Any:
        self.calls.append((name, arguments))


async def test_each_method_has_the_parameters_of_the_terminals_and_a_call() -> None:
    recorded = Recorded()
    for call in TERMINAL_CALLS.values():
        name = call.function.__name__
        parameters = list(inspect.signature(getattr(Terminals, name)).parameters.values())[1:]
        assert [one.name for one in parameters] == list(inspect.signature(getattr(recorded, name)).parameters)
        values = tuple(0.5 if one.name == "wait_s" else one.name for one in parameters)
        await getattr(recorded, name)(*values)
        assert recorded.calls[-1] == (call.name, values)
