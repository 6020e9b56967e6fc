"""What the server has acknowledged, and what it no longer has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from unittest.mock import Mock

import pytest
import urllib3

from dashboard.bench.benchmark import BenchmarkError, until
from dashboard.bench.operations.faults import scene
from dashboard.bench.operations.faults.scene import Ledger, Machine
from dashboard.bench.server import Server


class FakeServer(Server):
    """Answers from its own lists; ``dies`` lets the next POST take effect without an answer."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1:1")
        self.there: dict[str, str] = {}
        self.launched = 0
        self.saved: set[str] = set()
        self.dies = False

    def launch(self, _modes: Any) -> str:
        self.launched += 1
        identity = f"e{self.launched}"
        self.there[identity] = "running"
        if self.dies:
            raise urllib3.exceptions.ProtocolError
        return identity

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> bytes:
        if path.startswith("/api/reports"):
            number = int(path.partition("page=")[2])
            pages = [sorted(self.saved)[first : first + 2] for first in range(0, len(self.saved), 2)] or [[]]
            return json.dumps({"reports": [{"id": one} for one in pages[number - 1]], "pages": len(pages)}).encode()
        assert path == "/api/experiments"
        return json.dumps([{"id": key, "phase": phase} for key, phase in self.there.items()]).encode()

    def post(self, path: str, fields: Any = (), location: str = ".*") -> str:
        _, _, identity, action, _ = path.split("/")
        if action == "remove":
            del self.there[identity]
        else:
            self.there[identity] = "running" if action == "again" else "stopped"
        if self.dies:
            raise urllib3.exceptions.ProtocolError
        return "/"

    def ask(self, method: str, path: str, fields: Any = (), headers: Any = None) -> Any:
        if method == "POST":
            self.saved.add(f"r{len(self.saved)}")
            return urllib3.HTTPResponse(status=302, headers={"location": f"/reports/r{len(self.saved) - 1}/"})
        raise AssertionError(path)


def test_an_acknowledged_object_that_is_missing_is_lost() -> None:
    server, ledger = FakeServer(), Ledger()
    one, other = ledger.launch(server), ledger.launch(server)
    for _ in range(5):
        ledger.save(server, one)
    assert ledger.count_lost(server) == 0
    assert ledger.is_settled(server)
    del server.there[other]
    assert ledger.count_lost(server) == 1
    server.saved.remove("r4")
    assert ledger.count_lost(server) == 2
    server.saved.clear()
    assert ledger.count_lost(server) == 6


def test_a_command_with_a_lost_response_may_have_either_outcome() -> None:
    server, ledger = FakeServer(), Ledger()
    one, other = ledger.launch(server), ledger.launch(server)
    server.dies = True
    with pytest.raises(urllib3.exceptions.ProtocolError):
        ledger.act(server, one, "remove")
    with pytest.raises(urllib3.exceptions.ProtocolError):
        ledger.act(server, other, "stop")
    with pytest.raises(urllib3.exceptions.ProtocolError):
        ledger.launch(server)
    server.dies = False
    assert ledger.count_lost(server) == 0
    assert ledger.is_settled(server)
    assert ledger.experiments == {other: True}
    assert one not in ledger.open
    ledger.act(server, other, "remove")
    assert (ledger.removed, ledger.experiments) == ({other}, {})
    server.there[other] = "stopped"
    assert not ledger.is_settled(server), "what was removed must not come back"


async def test_an_expired_wait_names_the_condition() -> None:
    async def never() -> bool:
        return False

    with pytest.raises(BenchmarkError, match="the engine: not within 0 s"):
        await until(never, "the engine", 0)


class FakeMachine(Machine):
    """A docker command line that answers from a table."""

    def __init__(self, answers: dict[str, str]) -> None:
        super().__init__("unix:///nowhere")
        self.answers = answers

    def docker(self, *arguments: str, check: bool = True) -> str:
        line = " ".join(arguments)
        return next((answer for start, answer in self.answers.items() if line.startswith(start)), "")


def test_foreign_objects_are_compared_with_their_state_before() -> None:
    machine = FakeMachine({"network inspect": "n1", "inspect": "c1|true 10:00"})
    machine.add_foreign()
    assert machine.touched() == 0
    machine.answers["inspect"] = "c1|true 11:00"
    assert (machine.touched(), machine.touched(ran=False)) == (1, 0)
    machine.answers["network inspect"] = ""
    assert machine.touched(ran=False) == 1


async def test_objects_without_an_experiment_are_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene, "DEADLINE_S", 0.1)
    machine = FakeMachine({"ps -a": "nm-a-host\nnm-b-host", "network ls": "nm-b-net"})
    assert machine.orphaned_objects({"a"}) == {"nm-b-host", "nm-b-net"}
    assert await machine.leftovers({"a", "b"}) == 0
    assert await machine.leftovers({"a"}) == 2


async def test_a_list_that_fails_during_a_removal_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class RemovingMachine(FakeMachine):
        lists = 0

        def docker(self, *arguments: str, check: bool = True) -> str:
            self.lists += 1
            if self.lists == 1:
                raise BenchmarkError("docker ps: No such container: abc")
            return ""

    assert await RemovingMachine({}).leftovers() == 0
    monkeypatch.setattr(scene, "DEADLINE_S", 0.1)
    machine = RemovingMachine({})
    machine.docker = Mock(side_effect=BenchmarkError("the engine is gone"))  # type: ignore[method-assign]
    with pytest.raises(BenchmarkError, match="does not list"):
        await machine.leftovers()
