"""One namespace, watched: links, addresses and routes by events, listeners by a poll, sysctls now and then.

Sockets that were made inside keep working, and keep the namespace alive, until ``close``.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Self

from dashboard.core.namespaces.state import Interface, Listener, Route
from dashboard.netns.namespace import Namespace
from dashboard.netns.netlink.framing import MalformedMessage
from dashboard.netns.netlink.interfaces import LinkTable, open_route_socket
from dashboard.netns.netlink.listeners import ListenerTable, open_diag_socket
from dashboard.netns.netlink.rtnetlink import EVENT_GROUPS
from dashboard.netns.sysctls import read_sysctls_here
from dashboard.netns.watch.link_feed import LinkFeed
from dashboard.netns.watch.listener_feed import Candidates, ListenerFeed, search_owners
from dashboard.netns.watch.poll_timer import Pulse, next_turn

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KernelView:
    """Interfaces, routes, listeners and sysctls at one instant, in canonical order."""

    interfaces: tuple[Interface, ...] = ()
    routes: tuple[Route, ...] = ()
    listeners: tuple[Listener, ...] = ()
    sysctls: dict[str, str] = field(default_factory=dict)


OnChange = Callable[[KernelView], None]

_EVENT_BUFFER_BYTES = 4 * 1024 * 1024
_CHECK_PERIOD_S = 1.0
_CHECK_PER_SOCKET_S = 0.02  # so that looking whether owners still live costs 0.2 % of one core at most
_SYSCTL_PERIOD_S = 5.0
_RESYNC_PERIOD_S = 30.0
_POLL_SHARE = 0.004  # of one core, for the listener polls of one watch
_POLL_COST_WEIGHT = 0.125  # of the newest poll in the average of what one costs
_ERROR_PAUSE_S = 1.0


class _Inside:
    """Everything that is opened in the namespace, and what a first look brought. Made in a thread there."""

    def __init__(self, candidates: Candidates | None, extra_sysctls: tuple[str, ...]) -> None:
        self._sockets: list[socket.socket] = []
        try:
            # subscribed before the first look, so that nothing falls in between
            self.events = self._keep(open_route_socket(EVENT_GROUPS, _EVENT_BUFFER_BYTES))
            self.dumps = self._keep(open_route_socket())
            self.listeners = ListenerTable(self._keep(open_diag_socket()))
            self.links = LinkTable()
            self.links.load(self.dumps)
            self.listeners.poll()
            self.sysctls = read_sysctls_here(extra_sysctls)
            self.owners = search_owners((one.inode for one in self.listeners.sockets), candidates)
        except BaseException:
            self.close()
            raise

    def _keep(self, opened: socket.socket) -> socket.socket:
        self._sockets.append(opened)
        return opened

    def close(self) -> None:
        """Lets go of all sockets."""
        for opened in self._sockets:
            opened.close()


class Watch:
    """Keeps ``view`` equal to the namespace. Make it with ``open``, end it with ``close``.

    ``on_change`` is called on the loop, only when the view differs from the last one, with the new view: a few
    milliseconds after a change of links, addresses or routes; ``poll_s`` and the search for its owner after a new
    listener; 5 s after a sysctl.
    """

    def __init__(
        self,
        namespace: Namespace,
        inside: _Inside,
        on_change: OnChange,
        poll_s: float,
        candidates: Candidates | None,
        extra_sysctls: tuple[str, ...],
    ) -> None:
        """Use ``open``. Takes over ``namespace`` and ``inside``."""
        self._loop = asyncio.get_running_loop()
        self._namespace = namespace
        self._inside = inside
        self._sysctls = inside.sysctls
        self._extra_sysctls = extra_sysctls
        self._on_change = on_change
        self._poll_s = poll_s
        self._closed = False
        self._check: asyncio.Task[None] | None = None
        self._failing = ""
        self._poll_cost_s = 0.0
        now = self._loop.time()
        self.due = next_turn(now, poll_s)
        self._check_due = now + _CHECK_PERIOD_S
        self._sysctl_due = now + _SYSCTL_PERIOD_S
        self._resync_due = now + _RESYNC_PERIOD_S
        self._listeners = ListenerFeed(inside.listeners, inside.owners, candidates, self._publish)
        self._links = LinkFeed(inside.events, inside.dumps, inside.links, self._publish)
        self._pulse = Pulse.of_loop()
        self._pulse.add(self)
        self.view = self._assemble()

    @classmethod
    async def open(
        cls,
        namespace: Namespace,
        on_change: OnChange,
        poll_s: float = 0.05,
        candidates: Candidates | None = None,
        extra_sysctls: Iterable[str] = (),
    ) -> Self:
        """Enters the namespace once, reads everything (a few milliseconds) and watches from then on.

        ``namespace`` stays the caller's. ``candidates`` gives the pids among which an owner is searched
        first and is called in threads; then all of ``/proc`` is. NamespaceGone if ``namespace`` is closed,
        OSError where the kernel refuses.
        """
        extra = tuple(extra_sysctls)
        own = namespace.duplicate()
        inside: _Inside | None = None
        try:
            inside = await own.arun(lambda: _Inside(candidates, extra), discard=_Inside.close)
            return cls(own, inside, on_change, poll_s, candidates, extra)
        except BaseException:
            if inside is not None:
                inside.close()
            own.close()
            raise

    @property
    def inode(self) -> int:
        """The inode of the namespace that is watched."""
        return self._namespace.inode

    @property
    def unreadable(self) -> frozenset[str]:
        """Protocols whose sockets this kernel cannot list, e.g. ``udp``."""
        return frozenset(self._inside.listeners.unreadable)

    def close(self) -> None:
        """Stops and lets go of the namespace; ``on_change`` is not called any more. Harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        self._pulse.remove(self)
        self._links.stop()
        self._listeners.stop()
        if self._check is not None:
            self._check.cancel()
        self._inside.close()
        self._namespace.close()

    async def resync(self) -> None:
        """Reads everything anew, owners and sysctls too, and publishes what differs.

        OSError where the kernel refuses; NamespaceGone after ``close``.
        """
        extra = self._extra_sysctls
        self._resync_due = self._loop.time() + _RESYNC_PERIOD_S
        self._sysctl_due = self._loop.time() + _SYSCTL_PERIOD_S
        sysctls = await self._namespace.arun(lambda: read_sysctls_here(extra))
        await self._links.reload()
        if not self._closed:
            self._sysctls = sysctls
            self._listeners.poll()
            await self._listeners.check_owners(everything=True)
            self._publish()

    def beat(self, now: float) -> None:
        """The listener poll, called by the shared timer. A kernel that is slow at it is asked less often."""
        # The thread's own time: a poll that was interrupted on a busy machine has not become dearer.
        started = time.thread_time()
        try:
            changed = self._listeners.poll()
        except (OSError, MalformedMessage) as error:
            self._complain("listing sockets", error)
            self.due = now + _ERROR_PAUSE_S
        else:
            if not changed:  # else it includes telling of the change, after which others may follow at once
                self._poll_cost_s += (time.thread_time() - started - self._poll_cost_s) * _POLL_COST_WEIGHT
            self.due = next_turn(now + max(0.0, self._poll_cost_s / _POLL_SHARE - self._poll_s), self._poll_s)
        if now >= self._check_due and self._check is None and not self._closed:
            self._check = self._loop.create_task(self._look_around(now))

    async def _look_around(self, now: float) -> None:
        """Owners every second, sysctls every five, and everything every thirty or when events were lost."""
        try:
            if self._links.lost or now >= self._resync_due:
                await self.resync()
            else:
                await self._listeners.check_owners()
                if now >= self._sysctl_due:
                    self._sysctl_due = now + _SYSCTL_PERIOD_S
                    extra = self._extra_sysctls
                    self._sysctls = await self._namespace.arun(lambda: read_sysctls_here(extra))
                    self._publish()
            self._failing = ""
        except (OSError, MalformedMessage) as error:
            self._complain("looking around", error)
        finally:
            wanted = max(_CHECK_PERIOD_S, _CHECK_PER_SOCKET_S * self._listeners.count)
            self._check_due = self._loop.time() + min(wanted, max(_CHECK_PERIOD_S, _SYSCTL_PERIOD_S))
            self._check = None

    def _complain(self, doing: str, error: Exception) -> None:
        """Says it once, until it works again."""
        said = f"{doing}: {error}"
        if not self._closed and said != self._failing:
            self._failing = said
            _log.warning("%r: %s", self._namespace, said)

    def _assemble(self) -> KernelView:
        table = self._links.table
        return KernelView(
            interfaces=table.interfaces(),
            routes=table.routes(),
            listeners=self._listeners.listeners(table.names_version, table.name_of),
            sysctls=self._sysctls,
        )

    def _publish(self) -> None:
        if self._closed:
            return
        after = self._assemble()
        if self.view == after:
            return
        self.view = after
        try:
            self._on_change(after)
        except Exception:  # noqa: BLE001 - a fault of the listener must not blind the watch
            _log.exception("on_change for %r failed", self._namespace)
