"""What an instructor asks for in a new session, read from a form: every field with its limits and its sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dashboard.core.training.capacity import CPUS, MEMORY_MB, PIDS
from dashboard.core.training.pacing import Pace
from dashboard.core.training.session import HOURS, MAX_PARTICIPANTS, TEAMS_MOST, HostsFor

TITLE_MOST = 120


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session as it is asked for. ``memory_mb``, ``pids`` and ``cpus`` limit each private host."""

    title: str = ""
    workshop: str = ""
    hours: int = 4
    max_participants: int = 30
    pace: Pace = Pace.TOGETHER
    scores: bool = False
    hosts: HostsFor = HostsFor.NONE
    team_size: int = 1
    terminal: bool = False
    record_terminal: bool = False
    memory_mb: int = 512
    pids: int = 512
    cpus: float = 1.0
    idle_minutes: int = 30

    @property
    def hosts_needed(self) -> int:
        """How many private hosts a full class has."""
        if self.hosts is HostsFor.NONE:
            return 0
        return -(-self.max_participants // self.team_size)


@dataclass(slots=True)
class _Reader:
    values: Mapping[str, str]
    problems: dict[str, str] = field(default_factory=dict)

    def number(self, name: str, least: int, most: int, default: int) -> int:
        text = self.values.get(name, "").strip()
        if not text:
            return default
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else -1
        if not least <= number <= most:
            self.problems[name] = f"A whole number from {least} to {most}."
            return default
        return number

    def choice(self, name: str, offered: tuple[str, ...], default: str) -> str:
        text = self.values.get(name, default)
        if text not in offered:
            self.problems[name] = "Choose one of those that are offered."
            return default
        return text

    def tick(self, name: str) -> bool:
        return self.values.get(name, "") == "on"


def read_new(values: Mapping[str, str], workshops: tuple[str, ...]) -> tuple[NewSession, dict[str, str]]:
    """The session, and by field what is wrong with it."""
    reader = _Reader(values)
    title = " ".join(values.get("title", "").split())
    if not 0 < len(title) <= TITLE_MOST or not title.isprintable():
        reader.problems["title"] = f"A title, with at most {TITLE_MOST} characters."
    hosts = HostsFor(reader.choice("hosts", tuple(HostsFor), HostsFor.NONE))
    team_size = reader.number("team_size", 2, TEAMS_MOST, 2) if hosts is HostsFor.TEAM else 1
    terminal = hosts is not HostsFor.NONE and reader.tick("terminal")
    found = NewSession(
        title=title[:TITLE_MOST],
        workshop=reader.choice("workshop", workshops, workshops[0] if workshops else ""),
        hours=int(reader.choice("hours", tuple(str(one) for one in HOURS), "4")),
        max_participants=reader.number("max_participants", 1, MAX_PARTICIPANTS, 30),
        pace=Pace(reader.choice("pace", tuple(Pace), Pace.TOGETHER)),
        scores=reader.tick("scores"),
        hosts=hosts,
        team_size=team_size,
        terminal=terminal,
        record_terminal=terminal and reader.tick("record_terminal"),
        memory_mb=reader.number("memory_mb", *MEMORY_MB, 512),
        pids=reader.number("pids", *PIDS, 512),
        cpus=reader.number("cpu_percent", int(CPUS[0] * 100), int(CPUS[1] * 100), 100) / 100,
        idle_minutes=reader.number("idle_minutes", 1, 240, 30),
    )
    return found, reader.problems
