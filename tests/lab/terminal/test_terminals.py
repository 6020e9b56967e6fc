"""Terminals of a class on real private hosts: shared by windows, kept for who comes back, ended with their host."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from channels.db import database_sync_to_async

from dashboard.core.terminal.limits import NOWHERE, TABS_MOST, Piece, Place, TerminalError
from dashboard.core.training.host_plan import HostStage
from dashboard.engine.hosts.limits import processes
from dashboard.lab.terminal import terminals
from dashboard.lab.terminal.terminals import Terminals
from dashboard.models import TrainingSession
from dashboard.store.training import participants
from dashboard.store.training.participants import ParticipantRef
from dashboard.store.training.terminal_recordings import lines_of, recordings
from tests.lab.hosts_harness import School, school
from tests.lab.training_builders import participant
from tests.polling import eventually

pytestmark = pytest.mark.engine
COLOUR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]\r?")


@dataclass
class Window:
    """One window of somebody's terminal."""

    terminals: Terminals
    place: Place
    tab: str
    run: str = ""
    at: int = 0
    change: int = -1
    text: str = ""
    last: Piece = field(default=NOWHERE)

    async def open(self, cols: int = 100, rows: int = 30) -> Window:
        await self.terminals.attach(self.place, self.tab, cols, rows)
        return self

    async def type(self, text: str) -> None:
        await self.terminals.write(self.place.participant, self.tab, text.encode())

    async def look(self, wait_s: float = 0.0) -> str:
        piece = await self.terminals.read_from(self.place.participant, self.tab, self.run, self.at, self.change, wait_s)
        if piece.run != self.run:
            self.text = ""
        self.last, self.run, self.change, self.at = piece, piece.run, piece.change, piece.offset + len(piece.data)
        self.text = COLOUR.sub("", self.text + piece.data.decode("utf-8", "replace"))
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

    async def is_told(self, words: str, deadline_s: float = 20.0) -> Piece:
        async def told() -> bool:
            await self.look(0.2)
            return words in self.last.ended and bool(words or not self.last.ended)

        try:
            await eventually(told, deadline_s)
        except AssertionError:
            raise AssertionError(f"not told: {words}: {self.last}") from None
        return self.last


@pytest.fixture
async def place(class_folder: Path, transactional_db: None) -> AsyncIterator[School]:
    async with school(class_folder, terminal=True, record_terminal=True) as made:
        yield made


@pytest.fixture
async def open_terminals(place: School, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Terminals]:
    monkeypatch.setattr(terminals, "SWEEP_S", 0.05)
    made = Terminals(place.context, place.hosts)
    await made.open()
    yield made
    await made.close()
    assert made.running == 0


async def sit(place: School, name: str) -> tuple[ParticipantRef, Place]:
    found: ParticipantRef = (await database_sync_to_async(participant)(place.row, name))[0]
    return found, Place(found.id, place.row.id, place.group(found.group), "launch", record=True)


async def test_a_terminal_from_the_first_key_to_the_end_of_its_host(place: School, open_terminals: Terminals) -> None:
    (ada, hers), (_, his) = await sit(place, "Ada"), await sit(place, "Bob")
    window = await Window(open_terminals, hers, "a").open()
    piece = await window.is_told("does not run")
    assert piece.again
    states = await asyncio.gather(place.ready(1), place.ready(2))
    await open_terminals.start(hers.participant)
    await window.sees("What this terminal shows is recorded")
    await window.sees(rf"netmodes-{states[0].host}.*:~# ")

    # Each has a host of their own, and port 80 on it.
    await window.type(
        "docker run -d --name web --network host nginx >/dev/null && docker ps --format '{{.Names}}-'$((6*7))\r"
    )
    await window.sees(r"\nweb-42\r\n")
    await window.type("netstat -tulpn | grep :80\r")
    named = await window.sees(r"0\.0\.0\.0:80 .*LISTEN +(\d+)/(\S+)")
    assert "nginx" in named[2]
    await window.type("ss -Hltnp 'sport = :80'; sudo netstat -tlpn | tail -1; curl -s http://localhost/ | head -n 3\r")
    await window.sees(r'users:\(\("nginx"')
    await window.sees(rf"netmodes-{states[0].host}")
    other = await Window(open_terminals, his, "b").open()
    await other.type("docker ps -aq | wc -l; ip -br addr show eth0\r")
    await other.sees(r"\n0\r\n")
    await other.sees(r"192\.0\.2\.2/24")

    # Another window, and one that comes back, go on where they were.
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

    # The end of the shell, another one, and the end of the host.
    first = window.run
    await window.type("exit\r")
    await window.is_told("It has ended.")
    await open_terminals.start(hers.participant)
    await window.is_told("")
    assert window.run != first
    await place.hosts.reset(place.group(1))
    await window.is_told("Your private host was stopped")

    async def is_another() -> bool:
        state = await place.hosts.state_of(place.group(1))
        return state.stage is HostStage.READY and state.host != states[0].host

    await eventually(is_another, 30)
    await open_terminals.start(hers.participant)
    await window.type("docker ps -aq | wc -l\r")
    await window.sees(r"\n0\r\n")
    assert processes(f"netmodes-{(await place.hosts.state_of(place.group(1))).host}", "containers/shell")

    # What was shown is kept, by participant and step.
    await open_terminals._recorder.flush()
    read = database_sync_to_async(lines_of)
    text = "".join(line for _, line in await read(ada.id, "launch"))
    assert "docker run -d --name web" in text
    assert "web-42" in text
    assert "\x1b" not in text
    assert [one.step for one in await database_sync_to_async(recordings)(ada.id)] == ["launch"]


async def test_it_ends_with_its_participant_its_session_and_idleness(place: School, open_terminals: Terminals) -> None:
    (ada, hers), (_, his) = await sit(place, "Ada"), await sit(place, "Bob")
    await asyncio.gather(place.ready(1), place.ready(2))
    window = await Window(open_terminals, hers, "a").open()
    other = await Window(open_terminals, his, "b").open()
    assert open_terminals.running == 2
    for number in range(TABS_MOST - 1):
        await open_terminals.attach(hers, f"more-{number}", 80, 24)
    with pytest.raises(TerminalError, match="windows already"):
        await open_terminals.attach(hers, "one too many", 80, 24)
    await database_sync_to_async(participants.remove)(place.row.id, ada.id, 1.0)
    piece = await window.is_told("no participant")
    assert not piece.again
    await open_terminals.start(hers.participant)
    assert open_terminals.running == 1, "it does not begin again"

    await place.change(idle_s=0, expires_at=time.time() + 1e5)
    place.later = 46 * 60.0
    piece = await other.is_told("nothing was typed for 45 minutes")
    assert piece.again
    await open_terminals.start(his.participant)
    await open_terminals.detach(his.participant, "b")
    place.later += 16 * 60.0

    async def is_gone() -> bool:
        return (await open_terminals.read_from(his.participant, "b", "", 0, -1, 0.0)) == NOWHERE

    await eventually(is_gone)
    assert open_terminals.running == 0

    third = await Window(open_terminals, his, "b").open()
    await third.sees(r":~# ")  # it is in its cgroup by then
    # A server that starts ends what another one has left at terminals.
    await Terminals(place.context, place.hosts).open()
    await third.is_told("It was killed.")
    await open_terminals.start(his.participant)
    await third.is_told("")
    await database_sync_to_async(TrainingSession.objects.filter(pk=place.row.pk).update)(closed_at=1.0)
    piece = await third.is_told("is over")
    assert not piece.again
