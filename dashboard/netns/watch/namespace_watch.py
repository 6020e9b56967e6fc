"""Watches one namespace: links, addresses and routes by events, listeners by polling, sysctls periodically.

The sockets that are opened in the namespace keep it alive until ``close``.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Self

from msgspec import UNSET, UnsetType

from dashboard.core.namespaces.state import FirewallRules, Interface, Listener, Route
from dashboard.netns.namespace import Namespace
from dashboard.netns.netlink.framing import MalformedMessage
from dashboard.netns.netlink.interfaces import open_route_socket
from dashboard.netns.netlink.listeners import ListenerTable, open_diag_socket
from dashboard.netns.netlink.rtnetlink import EVENT_GROUPS
from dashboard.netns.sysctls import read_sysctls_here
from dashboard.netns.watch.link_feed import LinkFeed, Peers, load_table
from dashboard.netns.watch.listener_feed import Candidates, Engines, ListenerFeed, search_owners
from dashboard.netns.watch.poll_timer import PollTimer, next_turn

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KernelView:
    """The interfaces, routes, listeners and sysctls of a namespace at one instant, in canonical order.

    ``Watch`` does not set ``firewall``; ``lab.watch_pool`` adds it for namespaces whose rules are read.
    """

    interfaces: tuple[Interface, ...] = ()
    routes: tuple[Route, ...] = ()
    listeners: tuple[Listener, ...] = ()
    sysctls: dict[str, str] = field(default_factory=dict)
    firewall: FirewallRules | UnsetType = UNSET


OnChange = Callable[[KernelView], None]

_EVENT_BUFFER_BYTES = 4 * 1024 * 1024
_CHECK_PERIOD_S = 1.0
_CHECK_PER_SOCKET_S = 0.02  # bounds the check of owners to 0.2 % of one core
_SYSCTL_PERIOD_S = 5.0
_RESYNC_PERIOD_S = 30.0
_POLL_SHARE = 0.004  # of one core, for the listener polls of one watch
_POLL_COST_WEIGHT = 0.125  # weight of the latest poll in the average cost
_ERROR_PAUSE_S = 1.0


class _Inside:
    """The sockets that a watch opens in its namespace, and what it reads at its start. Create it in a thread that has
    entered the namespace."""

    def __init__(
        self, netns: int, candidates: Candidates | None, extra_sysctls: tuple[str, ...], peers: Peers | None
    ) -> None:
        self._sockets: list[socket.socket] = []
        try:
            # subscribe before the first dump, so that no event is missed
            self.events = self._keep(open_route_socket(EVENT_GROUPS, _EVENT_BUFFER_BYTES))
            self.dumps = self._keep(open_route_socket())
            self.listeners = ListenerTable(self._keep(open_diag_socket()))
            self.links = load_table(netns, self.dumps, peers)
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
        """Closes all sockets."""
        for opened in self._sockets:
            opened.close()


class Watch:
    """Keeps ``view`` equal to the state of the namespace. Create it with ``open``, end it with ``close``.

    ``on_change`` is called on the loop with the new view whenever it differs from the previous one. A change of links,
    addresses or routes is reported after a few milliseconds, a change of a sysctl after at most 5 s. A new listener is
    found within ``poll_s`` and reported after the search for its owner.
    """

    def __init__(
        self,
        namespace: Namespace,
        inside: _Inside,
        on_change: OnChange,
        poll_s: float,
        candidates: Candidates | None,
        extra_sysctls: tuple[str, ...],
        engines: Engines | None = None,
        peers: Peers | None = None,
    ) -> None:
        """Use ``open`` instead. Takes ownership of ``namespace`` and ``inside``."""
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
        self._listeners = ListenerFeed(inside.listeners, inside.owners, candidates, self._publish, engines)
        self._links = LinkFeed(inside.events, inside.dumps, inside.links, self._publish, peers)
        self._poll_timer = PollTimer.of_loop()
        self._poll_timer.add(self)
        self.view = self._assemble()

    @classmethod
    async def open(
        cls,
        namespace: Namespace,
        on_change: OnChange,
        poll_s: float = 0.05,
        candidates: Candidates | None = None,
        extra_sysctls: Iterable[str] = (),
        engines: Engines | None = None,
        peers: Peers | None = None,
    ) -> Self:
        """Enters the namespace once, reads everything (a few milliseconds) and watches it from then on.

        The caller remains the owner of ``namespace``. ``candidates`` returns the pids that are searched first for the
        owner of a socket; it is called in a thread. ``peers`` returns the namespaces in which the peers of links may
        be; it is called in a thread, too. ``engines`` returns the pids of engines, which may pass a new socket on to
        another process; it is called in the event loop. Raises NamespaceGone if ``namespace`` is closed, OSError if the
        kernel refuses.
        """
        extra = tuple(extra_sysctls)
        own = namespace.duplicate()
        inside: _Inside | None = None
        try:
            inside = await own.arun(lambda: _Inside(own.inode, candidates, extra, peers), discard=_Inside.close)
            return cls(own, inside, on_change, poll_s, candidates, extra, engines, peers)
        except BaseException:
            if inside is not None:
                inside.close()
            own.close()
            raise

    def close(self) -> None:
        """Stops watching and releases the namespace; ``on_change`` is no longer called. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._poll_timer.remove(self)
        self._links.stop()
        self._listeners.stop()
        if self._check is not None:
            self._check.cancel()
        self._inside.close()
        self._namespace.close()

    async def resync(self) -> None:
        """Reads everything again, including owners and sysctls, and calls ``on_change`` if anything differs.

        Raises OSError if the kernel refuses, NamespaceGone after ``close``.
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

    async def find_owners_again(self) -> None:
        """Searches again for the owners of all listeners."""
        if not self._closed:
            await self._listeners.check_owners(everything=True)

    async def settle(self) -> None:
        """Waits until the search for the owners of all listeners has ended. If the kernel refuses to list sockets, only
        logs this."""
        try:
            if not self._closed:
                await self._listeners.settle()
        except (OSError, MalformedMessage) as error:
            self._warn("listing sockets", error)

    def poll(self, now: float) -> None:
        """Polls the listeners, and starts the periodic check if it is due. The shared timer calls this method. If
        polling is slow on this kernel, it is done less often."""
        # Thread time: a poll that was preempted on a busy machine has not become more expensive.
        started = time.thread_time()
        try:
            changed = self._listeners.poll()
        except (OSError, MalformedMessage) as error:
            self._warn("listing sockets", error)
            self.due = now + _ERROR_PAUSE_S
        else:
            if not changed:  # a change also includes the time to publish it, and others may follow at once
                self._poll_cost_s += (time.thread_time() - started - self._poll_cost_s) * _POLL_COST_WEIGHT
            self.due = next_turn(now + max(0.0, self._poll_cost_s / _POLL_SHARE - self._poll_s), self._poll_s)
        if now >= self._check_due and self._check is None and not self._closed:
            self._check = self._loop.create_task(self._check_periodically(now))

    async def _check_periodically(self, now: float) -> None:
        """Checks the owners of listeners and, every five seconds, reads the sysctls. Every thirty seconds, and after
        lost events, reads everything instead."""
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
            self._warn("checking owners and sysctls", error)
        finally:
            wanted = max(_CHECK_PERIOD_S, _CHECK_PER_SOCKET_S * self._listeners.count)
            self._check_due = self._loop.time() + min(wanted, max(_CHECK_PERIOD_S, _SYSCTL_PERIOD_S))
            self._check = None

    def _warn(self, doing: str, error: Exception) -> None:
        """Logs a failure, unless the same failure was logged last and no periodic check has succeeded since then.
        ``doing`` describes what failed."""
        message = f"{doing}: {error}"
        if not self._closed and message != self._failing:
            self._failing = message
            _log.warning("%r: %s", self._namespace, message)

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
        except Exception:  # noqa: BLE001 - a failing callback must not stop the watch
            _log.exception("on_change for %r failed", self._namespace)
