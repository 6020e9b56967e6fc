"""Keeps the firewall rules of one namespace current: reads them again after changes that often come with new rules."""

import asyncio
import time
from collections.abc import Callable, Iterable

from dashboard.core.namespaces.state import FirewallRules, Protocol
from dashboard.netns.firewall import read_firewall
from dashboard.netns.namespace import Namespace
from dashboard.netns.watch.namespace_watch import KernelView

#: The Engine sets the rules of a port some milliseconds after the link and around the listener.
QUIET_S = 0.1
#: Seconds after a reading in which ``touch`` starts no other: a launch of containers changes the interfaces many times,
#: and each reading runs three programs.
PAUSE_S = 0.5
#: The share of the time that readings after changes may take: the rules of 3000 services take a second.
_READ_SHARE = 0.05
#: The programs that hold the sockets of published ports.
_PORT_HOLDERS = frozenset({"dockerd", "docker-proxy"})


def rule_triggers(view: KernelView) -> object:
    """Returns the part of a view whose changes often come with new rules. These are the interfaces, the TCP listeners,
    and the UDP listeners of published ports. The result is only for comparisons with the result for an earlier view.

    Other UDP listeners are left out, since they often exist for one query only. The listeners' owners are left out,
    since they may be found late.
    """
    ports = frozenset(
        (listener.protocol, listener.family, listener.address, listener.port)
        for listener in view.listeners
        if listener.protocol is Protocol.TCP or listener.process in _PORT_HOLDERS
    )
    return view.interfaces, ports


class FirewallFeed:
    """Keeps ``rules`` current, and calls ``on_change`` when they have changed. ``backend`` is the firewall backend that
    the Engine reports (``read_firewall``). ``bridges`` returns the names of the namespace's bridges."""

    def __init__(
        self,
        namespace: Namespace,
        backend: str,
        bridges: Callable[[], Iterable[str]],
        on_change: Callable[[], None],
    ) -> None:
        self._namespace = namespace
        self._backend = backend
        self._bridges = bridges
        self._on_change = on_change
        self._lock = asyncio.Lock()
        self._started = 0
        self._due = 0.0
        self._again = False
        self._task: asyncio.Task[None] | None = None
        self.rules = FirewallRules()

    def touch(self) -> None:
        """Makes the feed read the rules soon. Several calls before this reading lead to only one reading.

        After a reading, the feed waits ``PAUSE_S``, or longer after a slow one, so that it reads for at most 5 % of the
        time.
        """
        self._again = True
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._read_when_quiet())

    async def refresh(self) -> None:
        """Reads the rules. If a reading is already in progress, it may have missed the latest changes: waits for its
        end, and reads the rules again. Callers that wait for the same reading share the next one."""
        asked = self._started
        async with self._lock:
            if self._started > asked:  # a reading began after this call
                return
            self._started += 1
            began = time.monotonic()
            try:
                rules = await read_firewall(self._namespace, self._backend, self._bridges())
            except BaseException:
                self._started -= 1  # the callers that wait for this reading read the rules themselves
                raise
            now = time.monotonic()
            self._due = now + max(PAUSE_S, (now - began) / _READ_SHARE)
        if rules != self.rules:
            self.rules = rules
            self._on_change()

    async def close(self) -> None:
        """Cancels the reading that ``touch`` has started, and waits until the programs that it runs have ended.
        Readings for callers of ``refresh`` continue."""
        if (task := self._task) is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _read_when_quiet(self) -> None:
        try:
            while self._again:
                await asyncio.sleep(self._due - time.monotonic())
                self._again = False  # the rules of a later change may be missing in this reading: it leads to another
                await asyncio.sleep(QUIET_S)
                await self.refresh()
        finally:
            self._task = None
