"""Listening sockets of one namespace with their owners: sockets are polled, owners searched for new sockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

from dashboard.core.namespaces.state import Listener, listener_key
from dashboard.netns.namespace import in_own_thread
from dashboard.netns.netlink.listeners import ListenerTable, ListeningSocket
from dashboard.netns.processes import Owner, find_owners, is_current

_log = logging.getLogger(__name__)

Candidates = Callable[[], Iterable[int]]

_OWNER_WAIT_S = 0.04
_ATTEMPTS = 3


def search_owners(inodes: Iterable[int], candidates: Candidates | None) -> dict[int, Owner | None]:
    """The owner of every socket inode; None if it was not found. Call it in a thread."""
    wanted = frozenset(inodes)
    found = find_owners(wanted, candidates() if candidates is not None else ())
    return {inode: found.get(inode) for inode in wanted}


class ListenerFeed:
    """Listeners to show. A new socket is held back until its owner is known, for at most 40 ms; then it is shown
    without one. ``changed`` is called when the listeners may differ."""

    def __init__(
        self,
        table: ListenerTable,
        owners: dict[int, Owner | None],
        candidates: Candidates | None,
        changed: Callable[[], None],
    ) -> None:
        self._table = table
        self._owners = owners
        self._candidates = candidates
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, float] = {}  # inode -> when it was first seen
        self._attempts: dict[int, int] = {}
        self._search: asyncio.Task[None] | None = None
        self._built: dict[tuple[ListeningSocket, Owner | None, str | None], tuple[Any, Listener]] = {}
        self._shown: tuple[Listener, ...] | None = None
        self._shown_names = -1

    def stop(self) -> None:
        """Stop calling ``changed``."""
        if self._search is not None:
            self._search.cancel()

    @property
    def count(self) -> int:
        """The number of sockets whose owner was searched."""
        return len(self._owners)

    def poll(self) -> bool:
        """Query the kernel (about 0.1 ms); True if something changed. Raises OSError or MalformedMessage."""
        if not self._table.poll():
            return False
        now = self._loop.time()
        inodes = {one.inode for one in self._table.sockets}
        for gone in self._owners.keys() - inodes:
            del self._owners[gone]
            self._attempts.pop(gone, None)
        self._waiting = {inode: self._waiting.get(inode, now) for inode in inodes - self._owners.keys()}
        if self._waiting and self._search is None:
            self._search = self._loop.create_task(self._search_owners())
        self._notify()
        return True

    def _notify(self) -> None:
        self._shown = None
        self._changed()

    async def _search_owners(self) -> None:
        try:
            while self._waiting:
                wanted = frozenset(self._waiting)
                search = asyncio.ensure_future(in_own_thread(lambda: search_owners(wanted, self._candidates)))  # noqa: B023
                while not search.done():
                    await asyncio.wait({search}, timeout=_OWNER_WAIT_S)
                    if not search.done():
                        self._notify()
                self._take(search.result())
        except OSError as error:
            _log.warning("searching the owners of sockets: %s", error)
            self._take(dict.fromkeys(self._waiting))
        finally:
            self._search = None

    def _take(self, found: dict[int, Owner | None]) -> None:
        """Store the owners of sockets that still exist."""
        inodes = {one.inode for one in self._table.sockets}
        for inode, owner in found.items():
            self._waiting.pop(inode, None)
            if inode in inodes:
                self._owners[inode] = owner
                self._attempts[inode] = 0 if owner is not None else self._attempts.get(inode, 0) + 1
        self._notify()

    async def check_owners(self, *, everything: bool = False) -> None:
        """Search again the owners that ended or were renamed, and a few times those never found: a server that forks
        and exits in the parent keeps the socket. ``everything`` searches all."""
        owners = dict(self._owners)
        attempts = dict(self._attempts)

        def look() -> dict[int, Owner | None]:
            ended = {owner for owner in set(owners.values()) if owner is not None and not is_current(owner)}
            stale = [
                inode
                for inode, owner in owners.items()
                if everything or owner in ended or (owner is None and inode and attempts.get(inode, 0) < _ATTEMPTS)
            ]
            return search_owners(stale, self._candidates) if stale else {}

        if owners and (found := await in_own_thread(look)):
            self._take(found)

    def listeners(self, names_version: int, name_of: Callable[[int], str | None]) -> tuple[Listener, ...]:
        """The listeners in canonical order; ``name_of`` returns the name of a device by index."""
        if self._shown is None or names_version != self._shown_names:
            deadline = self._loop.time() - _OWNER_WAIT_S
            built: dict[tuple[ListeningSocket, Owner | None, str | None], tuple[Any, Listener]] = {}
            for one in self._table.sockets:
                if self._waiting.get(one.inode, deadline) <= deadline:
                    what = (one, self._owners.get(one.inode), name_of(one.interface))
                    built[what] = self._built.get(what) or _keyed(*what)
            self._built = built
            in_order = sorted(built.values(), key=itemgetter(0))
            self._shown = tuple(dict.fromkeys(listener for _, listener in in_order))
            self._shown_names = names_version
        return self._shown


def _keyed(one: ListeningSocket, owner: Owner | None, interface: str | None) -> tuple[Any, Listener]:
    listener = Listener(
        protocol=one.protocol,
        family=one.family,
        address=one.address,
        port=one.port,
        pid=None if owner is None else owner.pid,
        process=None if owner is None else owner.process,
        container=None if owner is None else owner.container,
        v6only=one.v6only,
        interface=interface,
    )
    return listener_key(listener), listener
