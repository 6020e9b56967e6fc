"""Parses the form of a new session: its fields, their limits, and a message for each mistake."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dashboard.core.machines.labels import parse_wanted
from dashboard.core.training.capacity import CPUS, MEMORY_MB, PIDS
from dashboard.core.training.pacing import Pace
from dashboard.core.training.session import HOURS, MAX_PARTICIPANTS, MAX_TEAM_SIZE, HostsFor

MAX_TITLE = 120
#: How a sentence names a number field, and its unit.
NUMBERS = {
    "max_participants": ("The number of participants", ""),
    "team_size": ("The team size", ""),
    "memory_mb": ("The memory per host", " MB"),
    "pids": ("The number of processes per host", ""),
    "cpu_percent": ("The CPU per host", " percent of a core"),
    "idle_minutes": ("The idle time", " minutes"),
}


@dataclass(frozen=True, slots=True)
class NewSession:
    """The settings of a new session. ``memory_mb``, ``pids`` and ``cpus`` are the limits of each private host. A host
    is placed on a machine that has all ``machine_labels``."""

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
    machine_labels: str = ""

    @property
    def hosts_needed(self) -> int:
        """The number of private hosts when all participants have joined."""
        return 0 if self.hosts is HostsFor.NONE else -(-self.max_participants // self.team_size)


@dataclass(slots=True)
class _Reader:
    values: Mapping[str, str]
    problems: dict[str, str] = field(default_factory=dict)

    def number(self, name: str, minimum: int, maximum: int, default: int) -> int:
        text = self.values.get(name, "").strip()
        if not text:
            return default
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else -1
        if not minimum <= number <= maximum:
            what, unit = NUMBERS[name]
            self.problems[name] = f"{what} must be a whole number from {minimum} to {maximum}{unit}, not “{text[:40]}”."
            return default
        return number

    def choice(self, name: str, offered: tuple[str, ...], default: str) -> str:
        text = self.values.get(name, default)
        if text not in offered:
            self.problems[name] = "Choose one of the options."
            return default
        return text

    def labels(self, name: str) -> str:
        try:
            return parse_wanted(self.values.get(name, ""))
        except ValueError as error:
            self.problems[name] = str(error)
            return ""

    def checkbox(self, name: str) -> bool:
        return self.values.get(name, "") == "on"


def read_form(values: Mapping[str, str], workshops: tuple[str, ...]) -> tuple[NewSession, dict[str, str]]:
    """Returns the settings, with defaults in place of wrong fields, and a message for each wrong field. ``values`` are
    the fields as they were sent; ``workshops`` are the slugs to choose from."""
    reader = _Reader(values)
    title = " ".join(values.get("title", "").split())
    if not 0 < len(title) <= MAX_TITLE or not title.isprintable():
        reader.problems["title"] = f"Enter a title with at most {MAX_TITLE} characters."
    hosts = HostsFor(reader.choice("hosts", tuple(HostsFor), HostsFor.NONE))
    team_size = reader.number("team_size", 2, MAX_TEAM_SIZE, 2) if hosts is HostsFor.TEAM else 1
    terminal = hosts is not HostsFor.NONE and reader.checkbox("terminal")
    settings = NewSession(
        title=title[:MAX_TITLE],
        workshop=reader.choice("workshop", workshops, workshops[0] if workshops else ""),
        hours=int(reader.choice("hours", tuple(map(str, HOURS)), "4")),
        max_participants=reader.number("max_participants", 1, MAX_PARTICIPANTS, 30),
        pace=Pace(reader.choice("pace", tuple(Pace), Pace.TOGETHER)),
        scores=reader.checkbox("scores"),
        hosts=hosts,
        team_size=team_size,
        terminal=terminal,
        record_terminal=terminal and reader.checkbox("record_terminal"),
        memory_mb=reader.number("memory_mb", *MEMORY_MB, 512),
        pids=reader.number("pids", *PIDS, 512),
        cpus=reader.number("cpu_percent", int(CPUS[0] * 100), int(CPUS[1] * 100), 100) / 100,
        idle_minutes=reader.number("idle_minutes", 1, 240, 30),
        machine_labels=reader.labels("machine_labels") if hosts is not HostsFor.NONE else "",
    )
    return settings, reader.problems
