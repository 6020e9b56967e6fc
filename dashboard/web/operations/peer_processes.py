"""The other web processes: sends wake-ups to them, and stores which participants are connected to them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

#: Seconds for which a process's report is valid. Longer than the pause between two reports plus the time until this
#: process notices that NATS no longer delivers them.
VALID_S = 15.0

type Participants = Mapping[str, frozenset[str]]


def _ignore(*_wakeup: str) -> None:
    """Discards a wake-up, because a single process has no peers."""


@dataclass(slots=True)
class PeerProcesses:
    """The other web processes of this installation.

    ``tell`` sends a wake-up to all of them. ``reports`` contains, for each process, the time of its last report and the
    participants connected to it, by session.
    """

    tell: Callable[..., None] = _ignore
    reports: Mapping[str, tuple[float, Participants]] = field(default_factory=dict)

    def participants(self, session: str) -> frozenset[str]:
        """Returns the participants of a session who are connected to other processes. May be called from any thread."""
        present = (sessions.get(session, frozenset()) for _at, sessions in self.reports.values())
        return frozenset().union(*present)

    def report(self, process: str, sessions: Participants, now: float) -> frozenset[str]:
        """Stores a report: ``sessions`` are the participants who are connected to ``process``, by session.

        Returns the sessions whose participants have changed since the earlier report of ``process``.
        """
        before = self.reports.get(process, (now, {}))[1]
        self.reports = {**self.reports, process: (now, sessions)}
        return _changed(before, sessions)

    def renew(self, now: float) -> None:
        """Sets the time of all reports to ``now``, so that none expires. Call it after a period in which no report
        could arrive."""
        self.reports = {process: (now, sessions) for process, (_at, sessions) in self.reports.items()}

    def expire(self, now: float) -> frozenset[str]:
        """Removes processes that no longer report. Returns the sessions of their participants."""
        silent = {process for process, (at, _sessions) in self.reports.items() if now - at > VALID_S}
        changed = frozenset(session for process in silent for session in self.reports[process][1])
        if silent:
            self.reports = {process: report for process, report in self.reports.items() if process not in silent}
        return changed


def _changed(before: Participants, after: Participants) -> frozenset[str]:
    sessions = {*before, *after}
    return frozenset(key for key in sessions if before.get(key, frozenset()) != after.get(key, frozenset()))
