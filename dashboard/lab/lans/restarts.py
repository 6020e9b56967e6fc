"""Finds the LANs of a data folder, and decides whether their ended hosts are started again."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dashboard.core.training.host_plan import ENGINE_EXITS_S, MAX_ENGINE_EXITS, format_duration, recent_exits
from dashboard.engine.hosts.registry import abandoned_containers, is_starting
from dashboard.engine.lans.lan import Lan, list_lans

RETRY = "Press “Start the hosts again” to retry."


@dataclass(frozen=True, slots=True)
class FoundLan:
    """A LAN of the data folder.

    ``neighbours`` contains the IPv4 and IPv6 address of each neighbour. ``startable`` is true if hosts of the LAN have
    ended. It is also true if an interrupted restart has not started all containers on the running hosts. While a
    process is starting an ended host, ``startable`` is false.
    """

    lan: Lan
    neighbours: tuple[tuple[str, str], ...]
    startable: bool


def find_lans(data_dir: Path) -> dict[str, FoundLan]:
    """Returns the LANs of a data folder by name. Blocks."""
    return {
        lan.name: FoundLan(
            lan,
            tuple(addresses for _netns, addresses in lan.neighbours),
            (bool(lan.ended) or any(map(abandoned_containers, lan.hosts)))
            and not any(is_starting(host.folder) for host in lan.ended),
        )
        for lan in list_lans(data_dir)
    }


class Restarts:
    """Decides whether the ended hosts of a LAN are started again automatically. They are not started if the last start
    has failed, or if hosts have ended too often within a short time. ``forget`` permits automatic starts again."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._ends: dict[str, list[float]] = {}
        self._failures: dict[str, str] = {}

    def refuse(self, name: str) -> str:
        """Returns the reason why the ended hosts of a LAN must not be started automatically; empty if they may. Unless
        an earlier start has failed, counts this call as a start."""
        if failure := self._failures.get(name):
            return failure
        now = self._clock()
        self._ends[name] = [*self._ends.get(name, [])[-9:], now]
        count = recent_exits(self._ends[name], now)
        if count < MAX_ENGINE_EXITS:
            return ""
        duration = format_duration(ENGINE_EXITS_S)
        self.note_failure(name, f"Hosts of this LAN ended {count} times within {duration}.")
        return self._failures[name]

    def note_failure(self, name: str, problem: str) -> None:
        """Records that the hosts of a LAN could not be started, for the reason ``problem``. From then on they are
        started only at a user's request."""
        self._failures[name] = f"{problem} {RETRY}"

    def forget_failure(self, name: str) -> bool:
        """Forgets a failed start, because the hosts run again. Returns whether a failure was recorded."""
        return self._failures.pop(name, None) is not None

    def forget(self, name: str) -> None:
        """Forgets the failure and the counted starts of a LAN, because a user has started or removed its hosts."""
        self._ends.pop(name, None)
        self._failures.pop(name, None)
