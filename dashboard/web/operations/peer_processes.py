"""Other web processes as the hub of training sessions uses them: wake-ups to them, and participants connected to
them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

#: Seconds for which a report of a process counts.
VALID_S = 10.0

type Participants = Mapping[str, frozenset[str]]


def _ignore(*_wakeup: str) -> None:
    """A lone process has no peers."""


@dataclass(slots=True)
class PeerProcesses:
    """A lone process has no peers. ``reports``, by process: when its last report arrived, and the participants that
    were connected to it, by session."""

    tell: Callable[..., None] = _ignore
    reports: Mapping[str, tuple[float, Participants]] = field(default_factory=dict)

    def participants(self, session: str) -> frozenset[str]:
        """The participants of a session that are connected to other processes. From any thread."""
        present = (sessions.get(session, frozenset()) for _at, sessions in self.reports.values())
        return frozenset().union(*present)

    def report(self, process: str, sessions: Participants, now: float) -> frozenset[str]:
        """Records who is connected to a process; returns the sessions in which that changed."""
        before = self.reports.get(process, (now, {}))[1]
        self.reports = {**self.reports, process: (now, sessions)}
        return _changed(before, sessions)

    def renew(self, now: float) -> None:
        """After a time in which no report could arrive: all processes count for a while longer."""
        self.reports = {process: (now, sessions) for process, (_at, sessions) in self.reports.items()}

    def expire(self, now: float) -> frozenset[str]:
        """Removes processes that no longer report; returns the sessions in which that changes something."""
        silent = {process for process, (at, _sessions) in self.reports.items() if now - at > VALID_S}
        changed = frozenset(session for process in silent for session in self.reports[process][1])
        if silent:
            self.reports = {process: report for process, report in self.reports.items() if process not in silent}
        return changed


def _changed(before: Participants, after: Participants) -> frozenset[str]:
    sessions = {*before, *after}
    return frozenset(key for key in sessions if before.get(key, frozenset()) != after.get(key, frozenset()))
