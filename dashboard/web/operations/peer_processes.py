"""Other web processes, for the hub of training sessions: wake-ups to them, and the participants connected to them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

#: Seconds for which a process's report is valid: longer than the pause between two reports plus the time until this
#: process notices that NATS no longer delivers them.
VALID_S = 15.0

type Participants = Mapping[str, frozenset[str]]


def _ignore(*_wakeup: str) -> None:
    """Does nothing: a lone process has no peers."""


@dataclass(slots=True)
class PeerProcesses:
    """The other processes, if there are any. ``reports`` has, for each process, the time of its last report and the
    participants connected to it, by session."""

    tell: Callable[..., None] = _ignore
    reports: Mapping[str, tuple[float, Participants]] = field(default_factory=dict)

    def participants(self, session: str) -> frozenset[str]:
        """The participants of a session that are connected to other processes. From any thread."""
        present = (sessions.get(session, frozenset()) for _at, sessions in self.reports.values())
        return frozenset().union(*present)

    def report(self, process: str, sessions: Participants, now: float) -> frozenset[str]:
        """Records which participants are connected to a process; returns the sessions for which that changed."""
        before = self.reports.get(process, (now, {}))[1]
        self.reports = {**self.reports, process: (now, sessions)}
        return _changed(before, sessions)

    def renew(self, now: float) -> None:
        """Extends all reports, after a period in which none could arrive."""
        self.reports = {process: (now, sessions) for process, (_at, sessions) in self.reports.items()}

    def expire(self, now: float) -> frozenset[str]:
        """Removes processes that no longer report; returns the sessions that this affects."""
        silent = {process for process, (at, _sessions) in self.reports.items() if now - at > VALID_S}
        changed = frozenset(session for process in silent for session in self.reports[process][1])
        if silent:
            self.reports = {process: report for process, report in self.reports.items() if process not in silent}
        return changed


def _changed(before: Participants, after: Participants) -> frozenset[str]:
    sessions = {*before, *after}
    return frozenset(key for key in sessions if before.get(key, frozenset()) != after.get(key, frozenset()))
