"""Keeps the listening sockets of one namespace and their owners current. Polls the sockets, and searches for the owners
of new ones.

Since Docker Engine 28, dockerd opens the socket of a published port and hands it to docker-proxy some milliseconds
later (Moby, daemon/libnetwork/portmappers/nat). Netmodes searches for the owner of such a socket until dockerd has
closed it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any

from dashboard.core.namespaces.forwarders import DOCKER_PROXY
from dashboard.core.namespaces.resolver import DOCKER_SERVER
from dashboard.core.namespaces.state import Listener, listener_key
from dashboard.netns.namespace import in_own_thread
from dashboard.netns.netlink.listeners import ListenerTable, ListeningSocket
from dashboard.netns.processes import Owner, find_owners, still_held

_log = logging.getLogger(__name__)

Engines = Callable[[], Iterable[int]]
#: Returns the pids that are searched first. The value is a container's id if the pid is that of the container's first
#: process and its cgroup does not name the container; otherwise it is empty.
Candidates = Callable[[], Mapping[int, str]]

_OWNER_WAIT_S = 0.04
_ATTEMPTS = 3
_HANDOVER_S = 0.45  # the Engine passes a socket on within 20 ms, on a busy machine later
_MORE_HANDOVER_S = 1.55  # in addition where docker-proxy runs: then the Engine passes on every socket
_HANDOVER_POLL_S = 0.03


def search_owners(inodes: Iterable[int], candidates: Candidates | None) -> dict[int, Owner | None]:
    """Returns the owner of each socket by the socket's inode; None if the owner was not found. The pids that
    ``candidates`` returns are searched first. Call it in a thread."""
    wanted = frozenset(inodes)
    known = candidates() if candidates is not None else {}
    found = find_owners(wanted, known, {pid: container for pid, container in known.items() if container})
    return {inode: found.get(inode) for inode in wanted}


class ListenerFeed:
    """Keeps the listeners to show. Calls ``changed`` when they may have changed.

    ``candidates`` returns the pids that are searched first for the owner of a socket; it is called in threads.
    ``engines`` returns the pids of engines; it is called in the event loop.

    A new socket is shown once its owner is known, or after 40 ms without an owner. If an engine holds the new socket,
    it is shown once another process holds it, or after 450 ms (2 s where docker-proxy runs).
    """

    def __init__(
        self,
        table: ListenerTable,
        owners: dict[int, Owner | None],
        candidates: Candidates | None,
        changed: Callable[[], None],
        engines: Engines | None = None,
    ) -> None:
        self._table = table
        self._owners = owners
        self._candidates = candidates
        self._engines = engines
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, float] = {}  # inode -> when it was first seen
        end = self._loop.time() + _HANDOVER_S
        self._handover = dict.fromkeys(self._held_by_engines(owners), end)  # inode -> until when it may be passed on
        self._attempts: dict[int, int] = {}
        self._search: asyncio.Task[None] | None = None
        self._start_search()
        self._built: dict[tuple[ListeningSocket, Owner | None, str | None], tuple[Any, Listener]] = {}
        self._shown: tuple[Listener, ...] | None = None
        self._shown_inodes: frozenset[int] = frozenset()
        self._shown_names = -1

    def stop(self) -> None:
        """Stops the search for owners, which would call ``changed``."""
        if self._search is not None:
            self._search.cancel()

    @property
    def count(self) -> int:
        """The number of sockets whose owner was found, or was searched for without success."""
        return len(self._owners)

    def poll(self) -> bool:
        """Reads the sockets from the kernel (about 0.1 ms). Returns whether any were added or removed. Raises OSError
        or MalformedMessage."""
        if not self._table.poll():
            return False
        now = self._loop.time()
        inodes = {socket.inode for socket in self._table.sockets}
        for gone in self._owners.keys() - inodes:
            del self._owners[gone]
            self._attempts.pop(gone, None)
        self._waiting = {inode: self._waiting.get(inode, now) for inode in inodes - self._owners.keys()}
        self._handover = {inode: end for inode, end in self._handover.items() if inode in inodes}
        self._start_search()
        self._notify()
        return True

    async def settle(self) -> None:
        """Polls, and waits until the search for the owners of all sockets that exist now has ended. Raises OSError or
        MalformedMessage."""
        self.poll()
        new = self._unsettled()
        while self._search is not None and not self._search.done() and new & self._unsettled():
            await asyncio.wait({self._search}, timeout=_HANDOVER_POLL_S)

    def _unsettled(self) -> frozenset[int]:
        return frozenset(self._waiting) | frozenset(self._handover)

    def _held_by_engines(self, owners: dict[int, Owner | None]) -> list[int]:
        """Returns the inodes of those sockets in ``owners`` that an engine holds and may still pass on to another
        process."""
        engines = frozenset(self._engines() if self._engines is not None else ())
        held = {inode for inode, owner in owners.items() if owner is not None and owner.pid in engines}
        # The Engine itself keeps the sockets of Docker's resolver in the container's namespace.
        passed_on = (socket for socket in self._table.sockets if socket.address != DOCKER_SERVER)
        return [socket.inode for socket in passed_on if socket.inode in held]

    def _start_search(self) -> None:
        if self._search is None and self._unsettled():
            self._search = self._loop.create_task(self._search_owners())

    def _notify(self) -> None:
        self._shown = None
        self._changed()

    async def _search_owners(self) -> None:
        try:
            while wanted := self._unsettled():
                search = asyncio.ensure_future(in_own_thread(lambda: search_owners(wanted, self._candidates)))
                while not search.done():
                    await asyncio.wait({search}, timeout=_OWNER_WAIT_S)
                    if not search.done():
                        self._notify()
                self._take(search.result())
                if self._handover:
                    await asyncio.sleep(_HANDOVER_POLL_S)
        except OSError as error:
            _log.warning("the owners of sockets could not be found: %s", error)
            self._handover.clear()
            self._take(dict.fromkeys(self._waiting))
        finally:
            self._search = None

    def _take(self, found: dict[int, Owner | None]) -> None:
        """Stores the owners that a search has found, for sockets that still exist. Skips a new socket that an engine
        may still pass on to another process."""
        inodes = {socket.inode for socket in self._table.sockets}
        now = self._loop.time()
        held = frozenset(self._held_by_engines(found))
        owners = (*self._owners.values(), *found.values())
        proxied = any(owner is not None and owner.process == DOCKER_PROXY for owner in owners)
        for inode in held & self._waiting.keys():
            self._handover.setdefault(inode, now + _HANDOVER_S)
        for inode, owner in found.items():
            end = self._handover.get(inode, now) + (_MORE_HANDOVER_S if proxied and inode in self._handover else 0)
            if end > now and (owner is None or inode in held):
                continue
            self._handover.pop(inode, None)
            self._waiting.pop(inode, None)
            if inode in inodes:
                self._owners[inode] = owner
                self._attempts[inode] = 0 if owner is not None else self._attempts.get(inode, 0) + 1
        self._notify()

    async def check_owners(self, *, everything: bool = False) -> None:
        """Searches for the new owner of each socket whose known owner (a process) has closed it. For example, when a
        server forks and the parent exits, the child keeps the socket.

        Also searches if the owner has changed its name. An owner that was never found is searched for a few more times.
        If ``everything`` is true, searches for the owners of all sockets.
        """
        owners = dict(self._owners)
        attempts = dict(self._attempts)

        def look() -> dict[int, Owner | None]:
            by_owner: dict[Owner | None, set[int]] = {}
            for inode, owner in owners.items():
                by_owner.setdefault(owner, set()).add(inode)
            stale = {inode for inode in by_owner.pop(None, ()) if inode and attempts.get(inode, 0) < _ATTEMPTS}
            for owner, inodes in by_owner.items():
                if owner is not None:
                    stale |= inodes - still_held(owner, inodes)
            wanted = owners.keys() if everything else stale
            return search_owners(wanted, self._candidates) if wanted else {}

        if owners and (found := await in_own_thread(look)):
            self._take(found)

    def listeners(self, names_version: int, name_of: Callable[[int], str | None]) -> tuple[Listener, ...]:
        """Returns the listeners in canonical order. ``name_of`` returns the name of a device by index. The result is
        cached: ``names_version`` must change when a device gets a new name."""
        if self._shown is None or names_version != self._shown_names:
            deadline = self._loop.time() - _OWNER_WAIT_S
            built: dict[tuple[ListeningSocket, Owner | None, str | None], tuple[Any, Listener]] = {}
            for socket in self._table.sockets:
                if self._is_due(socket.inode, deadline):
                    what = (socket, self._owners.get(socket.inode), name_of(socket.interface))
                    built[what] = self._built.get(what) or _keyed(*what)
            self._built = built
            self._shown_inodes = frozenset(one.inode for one, _, _ in built)
            in_order = sorted(built.values(), key=itemgetter(0))
            self._shown = tuple(dict.fromkeys(listener for _, listener in in_order))
            self._shown_names = names_version
        return self._shown

    def _is_due(self, inode: int, deadline: float) -> bool:
        if inode in self._owners or inode in self._shown_inodes:
            return True
        return inode not in self._handover and self._waiting.get(inode, deadline) <= deadline


def _keyed(socket: ListeningSocket, owner: Owner | None, interface: str | None) -> tuple[Any, Listener]:
    listener = Listener(
        protocol=socket.protocol,
        family=socket.family,
        address=socket.address,
        port=socket.port,
        pid=None if owner is None else owner.pid,
        process=None if owner is None else owner.process,
        container=None if owner is None else owner.container,
        v6only=socket.v6only,
        interface=interface,
    )
    return listener_key(listener), listener
