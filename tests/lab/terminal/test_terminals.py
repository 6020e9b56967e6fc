"""Terminals of a training session on real private hosts: shared by windows, kept for participants who come back, ended
with their host."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from channels.db import database_sync_to_async

from dashboard.core.terminal.limits import MAX_WINDOWS, NO_TERMINAL, OutputChunk, TerminalError, TerminalOwner
from dashboard.core.training.host_plan import HostStage
from dashboard.engine.hosts.limits import processes
from dashboard.lab.terminal import terminals
from dashboard.lab.terminal.terminals import Terminals
from dashboard.models import TrainingSession
from dashboard.store.training import participants
from dashboard.store.training.participants import ParticipantRef
from dashboard.store.training.terminal_recordings import lines_of, recordings
from tests.lab.hosts_harness import HostsHarness, hosts_harness
from tests.lab.training_builders import participant
from tests.support.polling import eventually

pytestmark = pytest.mark.engine
COLOUR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]\r?")


@dataclass
class Window:
    """One window of a terminal."""

    terminals: Terminals
    owner: TerminalOwner
    key: str
    run: str = ""
    at: int = 0
    change: int = -1
    text: str = ""
    last: OutputChunk = field(default=NO_TERMINAL)

    async def open(self, cols: int = 100, rows: int = 30) -> Window:
        await self.terminals.attach(self.owner, self.key, cols, rows)
        return self

    async def type(self, text: str) -> None:
        await self.terminals.write(self.owner.participant, self.key, text.encode())

    async def look(self, wait_s: float = 0.0) -> str:
        chunk = await self.terminals.read_from(self.owner.participant, self.key, self.run, self.at, self.change, wait_s)
        if chunk.run != self.run:
            self.text = ""
        self.last, self.run, self.change, self.at = chunk, chunk.run, chunk.change, chunk.offset + len(chunk.data)
        self.text = COLOUR.sub("", self.text + chunk.data.decode("utf-8", "replace"))
        return self.text

    async def sees(self, pattern: str, deadline_s: float = 20.0) -> re.Match[str]:
        async def found() -> re.Match[str] | None:
            return re.search(pattern, await self.look(0.2))

        try:
            match: re.Match[str] = await eventually(found, deadline_s)
        except AssertionError:
            raise AssertionError(f"not seen: {pattern}\n{self.text}\n{self.last}") from None
        self.text = self.text[match.end() :]
        return match

    async def receives_message(self, words: str, deadline_s: float = 20.0) -> OutputChunk:
        async def told() -> bool:
            await self.look(0.2)
            return words in self.last.ended and bool(words or not self.last.ended)

        try:
            await eventually(told, deadline_s)
        except AssertionError:
            raise AssertionError(f"not told: {words}: {self.last}") from None
        return self.last


@pytest.fixture
async def harness(session_hosts_folder: Path, transactional_db: None) -> AsyncIterator[HostsHarness]:
    async with hosts_harness(session_hosts_folder, terminal=True, record_terminal=True) as made:
        yield made


@pytest.fixture
async def open_terminals(harness: HostsHarness, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Terminals]:
    monkeypatch.setattr(terminals, "SWEEP_S", 0.05)
    made = Terminals(harness.context, harness.hosts)
    await made.open()
    yield made
    await made.close()
    assert made.running == 0


async def join(harness: HostsHarness, name: str) -> tuple[ParticipantRef, TerminalOwner]:
    found: ParticipantRef = (await database_sync_to_async(participant)(harness.row, name))[0]
    return found, TerminalOwner(found.id, harness.row.id, harness.group(found.group), "launch", record=True)


async def test_a_terminal_works_from_the_first_input_to_the_end_of_its_host(
    harness: HostsHarness, open_terminals: Terminals
) -> None:
    (ada, hers), (_, his) = await join(harness, "Ada"), await join(harness, "Bob")
    window = await Window(open_terminals, hers, "a").open()
    chunk = await window.receives_message("not running")
    assert chunk.again
    states = await asyncio.gather(harness.ready(1), harness.ready(2))
    await open_terminals.start(hers.participant)
    await window.sees("The output of this terminal is recorded")
    await window.sees(rf"netmodes-{states[0].host}.*:~# ")

    # Each participant has a host of their own, and port 80 on it.
    await window.type(
        "docker run -d --name web --network host nginx >/dev/null && docker ps --format '{{.Names}}-'$((6*7))\r"
    )
    await window.sees(r"\nweb-42\r\n")
    await window.type("until netstat -tulpn | grep :80; do :; done\r")
    named = await window.sees(r"0\.0\.0\.0:80 .*LISTEN +(\d+)/(\S+)")
    assert "nginx" in named[2]
    await window.type("ss -Hltnp 'sport = :80'; sudo netstat -tlpn | tail -1; curl -s http://localhost/ | head -n 3\r")
    await window.sees(r'users:\(\("nginx"')
    await window.sees(rf"netmodes-{states[0].host}")
    other = await Window(open_terminals, his, "b").open()
    await other.type("docker ps -aq | wc -l; ip -br addr show eth0\r")
    await other.sees(r"\n0\r\n")
    await other.sees(r"192\.0\.2\.2/24")

    # Another window, and a window that is opened again, continue at their offsets.
    second = await Window(open_terminals, hers, "c").open(60, 20)
    await second.sees("web-42")
    await window.type("stty size\r")
    await window.sees(r"20 60\r\n")
    await open_terminals.detach(hers.participant, "c")
    known = window.at
    await open_terminals.detach(hers.participant, "a")
    await window.open()
    await window.type("echo back-$((1+1))\r")
    await window.sees(r"back-2\r\n")
    assert window.at > known

    # The shell ends, another one starts, and then the host ends.
    first = window.run
    await window.type("exit\r")
    await window.receives_message("The shell has ended.")
    await open_terminals.start(hers.participant)
    await window.receives_message("")
    assert window.run != first
    await harness.reset(1)
    await window.receives_message("your private host was stopped")

    async def is_another() -> bool:
        state = await harness.hosts.state_of(harness.group(1))
        return state.stage is HostStage.READY and state.host != states[0].host

    await eventually(is_another, 60)
    await open_terminals.start(hers.participant)
    await window.type("docker ps -aq | wc -l\r")
    await window.sees(r"\n0\r\n")
    assert processes(f"netmodes-{(await harness.hosts.state_of(harness.group(1))).host}", "containers/shell")

    # What was shown is kept, by participant and step.
    await open_terminals._recorder.flush()
    read = database_sync_to_async(lines_of)
    text = "".join(line for _, line in await read(ada.id, "launch"))
    assert "docker run -d --name web" in text
    assert "web-42" in text
    assert "\x1b" not in text
    assert [one.step for one in await database_sync_to_async(recordings)(ada.id)] == ["launch"]


async def test_a_terminal_ends_with_its_participant_its_session_or_when_idle(
    harness: HostsHarness, open_terminals: Terminals
) -> None:
    (ada, hers), (_, his) = await join(harness, "Ada"), await join(harness, "Bob")
    await asyncio.gather(harness.ready(1), harness.ready(2))
    window = await Window(open_terminals, hers, "a").open()
    other = await Window(open_terminals, his, "b").open()
    assert open_terminals.running == 2
    for number in range(MAX_WINDOWS - 1):
        await open_terminals.attach(hers, f"more-{number}", 80, 24)
    with pytest.raises(TerminalError, match="already open in"):
        await open_terminals.attach(hers, "one too many", 80, 24)
    await database_sync_to_async(participants.remove)(harness.row.id, [ada.id], 1.0)
    chunk = await window.receives_message("no longer a participant")
    assert not chunk.again
    await open_terminals.start(hers.participant)
    assert open_terminals.running == 1, "it does not start again"

    await harness.change(idle_s=0, expires_at=time.time() + 1e5)
    harness.later = 46 * 60.0
    chunk = await other.receives_message("after 45 minutes without input")
    assert chunk.again
    await open_terminals.start(his.participant)
    await open_terminals.detach(his.participant, "b")
    harness.later += 16 * 60.0

    async def is_gone() -> bool:
        return (await open_terminals.read_from(his.participant, "b", "", 0, -1, 0.0)) == NO_TERMINAL

    await eventually(is_gone)
    assert open_terminals.running == 0

    third = await Window(open_terminals, his, "b").open()
    await third.sees(r":~# ")  # it is in its cgroup by then
    # A server that starts ends what another one has left at terminals.
    await Terminals(harness.context, harness.hosts).open()
    await third.receives_message("The shell was killed.")
    await open_terminals.start(his.participant)
    await third.receives_message("")
    await database_sync_to_async(TrainingSession.objects.filter(pk=harness.row.pk).update)(closed_at=1.0)
    chunk = await third.receives_message("is over")
    assert not chunk.again
