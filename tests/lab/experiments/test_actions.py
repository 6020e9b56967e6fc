"""Actions on a running experiment, on a real engine."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.core.experiments.inspect_commands import COMMANDS
from dashboard.core.experiments.journal import Attempt
from dashboard.core.experiments.lifecycle import container_name
from dashboard.core.paths.model import Path, PathKind
from dashboard.engine.hosts.private_host import MACHINE_ADDRESS
from dashboard.lab.experiments import actions
from dashboard.lab.experiments.actions import NotRunningError, inspect, try_paths
from dashboard.netns import files
from dashboard.netns.request import Reply
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually, others_run
from tests.support.private_engine import PrivateEngine


async def output(lab_harness: LabHarness, identity: str, column: str, command: str, name: str = "") -> str:
    async with aclosing(await inspect(lab_harness.lab, identity, column, command, name)) as pieces:
        return "".join([text async for text in pieces])


async def test_every_path_answers_and_the_server_sees_the_client(lab_harness: LabHarness) -> None:
    identity = await lab_harness.running("host", "bridge", publish="18300:80")

    async def all_answer() -> tuple[Attempt, ...]:
        attempts = await try_paths(lab_harness.lab, identity)
        sent = [attempt for attempt in attempts if attempt.url]
        # If an answer takes longer than the pause between two requests, the server may have two new clients.
        return attempts if [(one.status, bool(one.client_seen)) for one in sent] == [(200, True)] * 15 else ()

    attempts: tuple[Attempt, ...] = await eventually(all_answer)
    paths = {(attempt.path, attempt.server): attempt for attempt in attempts}
    assert paths["loopback", "host"].client_seen.startswith("127.0.0.1")
    assert "discarded" in paths["published-dnat", "host"].unavailable
    assert paths["published-proxy", "bridge"].client_seen.startswith("172.17.0.1")
    assert paths["bridge-address", "bridge"].url.startswith("http://172.17.")
    assert all(attempt.time_us for attempt in attempts if not attempt.unavailable)
    assert all(attempt.curl for attempt in attempts if not attempt.unavailable)
    driver = lab_harness.driver(identity)
    head = driver.view.head
    assert head is not None
    assert head.tried.startswith("Every path answered; bridge saw the client 172.17.0.1 through docker-proxy")


async def test_paths_follow_from_the_rules_at_the_time_of_the_request(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    """The kernel announces no change of a rule, and the rules of a launch may be read after its end."""
    identity = await lab_harness.running("bridge", publish="18302:80")
    await lab_harness.driver(identity).settled()
    rules = await asyncio.to_thread(engine_host.on_machine, "iptables", "-t", "nat", "-S", "DOCKER")
    (rule,) = [line for line in rules.splitlines() if "--dport 18302" in line]
    await asyncio.to_thread(engine_host.on_machine, "iptables", "-t", "nat", *rule.replace("-A", "-D", 1).split())
    try:
        attempts = await try_paths(lab_harness.lab, identity)
    finally:
        await asyncio.to_thread(engine_host.on_machine, "iptables", "-t", "nat", *rule.split())
    (machine,) = [one for one in attempts if one.origin == "machine" and f"/{MACHINE_ADDRESS}:18302/" in one.url]
    assert (machine.path, machine.client_seen.rpartition(":")[0]) == ("published-proxy", "172.17.0.1")


async def test_every_command_of_the_workshop_runs_in_every_column(lab_harness: LabHarness) -> None:
    identity = await lab_harness.running("bridge", "none")
    for key, command in COMMANDS.items():
        for column in ("machine", "bridge", "none"):
            text = await output(lab_harness, identity, column, key, "localhost" if command.needs_name else "")
            assert "not found" not in text, (key, column, text)
    assert "eth0" in await output(lab_harness, identity, "bridge", "ip-addr")
    assert "eth0" not in await output(lab_harness, identity, "none", "ip-addr")
    assert "172.17." in await output(lab_harness, identity, "bridge", "ip-route")
    machine, bridge = [await output(lab_harness, identity, one, "hosts") for one in ("machine", "bridge")]
    assert machine != bridge, "each column has its own files"


async def test_a_command_states_that_it_uses_files_of_the_server(
    lab_harness: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = await lab_harness.running("bridge")
    assert "cannot be read" not in await output(lab_harness, identity, "bridge", "hosts")
    monkeypatch.setattr(files, "read_inside", lambda *_: None)
    text = await output(lab_harness, identity, "bridge", "hosts")
    assert text.startswith("[Its resolv.conf and hosts cannot be read: this command uses the server's.]\n")


async def test_without_a_running_experiment_requests_and_commands_are_refused(
    fake_lab: LabHarness, fake: FakeEngine
) -> None:
    with pytest.raises(NotRunningError, match="launch it again"):
        await try_paths(fake_lab.lab, "nobody")
    identity = await fake_lab.running("host")
    await fake_lab.stop(identity)
    with pytest.raises(NotRunningError):
        await inspect(fake_lab.lab, identity, "host", "ss")
    with pytest.raises(NotRunningError):
        await try_paths(fake_lab.lab, identity)


async def test_a_column_that_is_removed_before_its_command_begins_prints_a_message(
    fake_lab: LabHarness, fake: FakeEngine
) -> None:
    identity = await fake_lab.running("host")
    pieces = await inspect(fake_lab.lab, identity, "host", "ss")
    await fake_lab.stop(identity)
    assert "no longer exists" in "".join([text async for text in pieces])


async def test_killing_a_container_ends_its_command(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    identity = await lab_harness.running("bridge", "none")
    pieces = await inspect(lab_harness.lab, identity, "bridge", "nslookup", "nowhere.example")
    await asyncio.to_thread(engine_host.docker, "rm", "-f", container_name(identity, "bridge"))
    async with aclosing(pieces):
        assert "".join([text async for text in pieces]), "a message, or the last output of the tool"
    attempts = await try_paths(lab_harness.lab, identity)
    assert all(attempt.server != "bridge" or attempt.error or attempt.unavailable for attempt in attempts), attempts


async def test_the_search_for_rules_that_drop_requests_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [Path(PathKind.LAN_PUBLISHED, f"path {n}", "neighbour", "bridge", address="192.0.2.2") for n in range(4)]
    driver = SimpleNamespace(
        view=SimpleNamespace(columns=(), states={}),
        observer=SimpleNamespace(settle=others_run),
        record_attempts=lambda attempts: None,
    )
    explained: list[str] = []

    async def explain(*_details: object, private: bool) -> str:
        if explained:
            await asyncio.Event().wait()
        explained.append("a rule dropped it")
        return explained[0]

    async def unanswered(*_path: object, **_options: object) -> Reply:
        return Reply(None, error="No answer.")

    monkeypatch.setattr(actions, "running_driver", lambda _lab, _experiment: driver)
    monkeypatch.setattr(actions, "requested_paths", lambda _columns, _states: paths)
    monkeypatch.setattr(actions, "column_namespace", lambda *_column: object())
    monkeypatch.setattr(actions, "request", unanswered)
    monkeypatch.setattr(actions, "explain_drop", explain)
    monkeypatch.setattr(actions, "EXPLAIN_S", 0.01)
    lab: Any = SimpleNamespace(context=SimpleNamespace(private=True, info=SimpleNamespace(firewall_backend="iptables")))
    attempts = await try_paths(lab, "x")
    assert [one.error for one in attempts] == ["No answer. a rule dropped it", *["No answer."] * 3]
