"""A host that was moved to another machine is brought to the state that its group had reached."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from channels.db import database_sync_to_async

from dashboard.core.training.host_plan import HostStage
from dashboard.core.workshops.progress import Event
from dashboard.engine.protocol import EngineError
from dashboard.lab.training import repeated_steps
from dashboard.lab.training.repeated_steps import NOTHING, repeat_steps
from dashboard.lab.workshops.commands import CommandResult
from dashboard.models import GroupHost, WorkshopProgress
from dashboard.store import workshops as workshop_store
from dashboard.store.training import hosts as group_host_store
from tests.lab.hosts_harness import HostsHarness, hosts_harness
from tests.lab.training_builders import NOW, participant

LAUNCH = "docker run --rm -d --name web --network host nginx"
STOP = "docker stop web"
AGAIN = "docker run --rm -d --name web --network host -p 8080:80 nginx"


def work(harness: HostsHarness) -> None:
    """The group of a participant launches a container, stops it and launches another one."""
    person = participant(harness.row)[0].person
    workshop_store.start(person, "host-network", "", NOW)
    done = [("launch", LAUNCH), ("stop", STOP), ("ports", STOP), ("ports", AGAIN)]
    for number, (step, line) in enumerate(done):
        event = Event(NOW + number, "did", step, line if number != 2 else f"{line}: No such container: web")
        workshop_store.update_step(person, "host-network", step, lambda record: record, event)


@pytest.fixture
async def harness(tmp_path: Path, transactional_db: None) -> AsyncIterator[HostsHarness]:
    """A session in which a group has worked."""
    async with hosts_harness(tmp_path) as made:
        await database_sync_to_async(work)(made)
        yield made


def perform(monkeypatch: pytest.MonkeyPatch, *failures: str | Exception) -> list[str]:
    """Records the commands, which fail in turn with these sentences or errors; an empty sentence is no failure."""
    lines: list[str] = []

    async def run_command(_host: object, line: str, _action: object) -> CommandResult:
        lines.append(line)
        failure = failures[len(lines) - 1] if len(lines) <= len(failures) else ""
        if isinstance(failure, Exception):
            raise failure
        return CommandResult(line, failed=failure)

    monkeypatch.setattr(repeated_steps, "run_command", run_command)
    return lines


async def test_the_commands_are_repeated_in_order(harness: HostsHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = perform(monkeypatch)
    assert await repeat_steps(harness.context, harness.group(1)) == "3 commands of your steps were repeated."
    assert lines == [LAUNCH, STOP, AGAIN]
    assert await repeat_steps(harness.context, harness.group(2)) == NOTHING


async def test_another_version_of_the_workshop_is_not_repeated_and_the_group_learns_why(
    harness: HostsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = perform(monkeypatch)
    for field, value in (("digest", "0123456789abcdef"), ("workshop", "missing")):
        await harness.change(**{field: value})
        if field == "workshop":
            await database_sync_to_async(WorkshopProgress.objects.update)(workshop=value)
        sentence = await repeat_steps(harness.context, harness.group(1))
        assert sentence.startswith("Your steps were not repeated: the workshop")
        assert str(harness.context.data_dir / "workshops") in sentence
        assert await repeat_steps(harness.context, harness.group(2)) == NOTHING
    assert lines == []


async def test_a_failed_command_is_named_and_the_others_are_run(
    harness: HostsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = perform(monkeypatch, "", "No such container.")
    sentence = await repeat_steps(harness.context, harness.group(1))
    assert sentence == f"2 of 3 commands of your steps were repeated. The first that failed: {STOP}"
    assert len(lines) == 3


@pytest.mark.parametrize("error", [EngineError("gone", 500), TimeoutError()])
async def test_without_an_engine_the_group_learns_how_far_it_came(
    harness: HostsHarness, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    perform(monkeypatch, "", error)
    assert "1 of 3 commands" in await repeat_steps(harness.context, harness.group(1))


@pytest.mark.engine
async def test_a_moved_host_runs_what_ran_before(session_hosts_folder: Path, transactional_db: Any) -> None:
    async with hosts_harness(session_hosts_folder) as harness:
        await database_sync_to_async(work)(harness)

        def move() -> None:
            group_host_store.request(harness.group(1), harness.context.clock())
            GroupHost.objects.filter(pk=harness.group(1)).update(is_moved=True, host="gone")

        await harness.context.database.run(move)
        harness.hosts.wake()
        state = await harness.reaches(1, HostStage.READY, "moved to another machine. 3 commands")
        context = await harness.hosts.context_of(harness.group(1))
        (container,) = await context.engine.containers({})
        assert (container.name, container.running) == ("web", True)
        assert state.host != "gone"
        row = await GroupHost.objects.aget(pk=harness.group(1))
        assert not row.is_moved
