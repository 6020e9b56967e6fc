"""The firewall's rules of one namespace, read again after changes that often come with new rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from dashboard.core.namespaces.state import FirewallRules
from dashboard.netns.firewall import read_firewall
from dashboard.netns.namespace import Namespace

#: The Engine sets the rules of a port some milliseconds after the link and around the listener.
QUIET_S = 0.1


class FirewallFeed:
    """Keeps ``rules`` current. ``on_change`` is called when they differ from the previous ones."""

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
        self._again = False
        self._task: asyncio.Task[None] | None = None
        self.rules = FirewallRules()

    def touch(self) -> None:
        """Reads the rules soon: once for several changes."""
        self._again = True
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._read_when_quiet())

    async def refresh(self) -> None:
        """Reads the rules now. Callers that wait share the next reading."""
        asked = self._started
        async with self._lock:
            if self._started > asked:  # a reading began after this call
                return
            self._started += 1
            rules = await read_firewall(self._namespace, self._backend, self._bridges())
        if rules != self.rules:
            self.rules = rules
            self._on_change()

    async def close(self) -> None:
        """Stops reading; returns when the tools of a reading have ended."""
        if (task := self._task) is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _read_when_quiet(self) -> None:
        try:
            while self._again:
                self._again = False
                await asyncio.sleep(QUIET_S)
                await self.refresh()
        finally:
            self._task = None
