"""Keeps the links, addresses and routes of one namespace current with rtnetlink events."""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress

from dashboard.netns.namespace import in_own_thread
from dashboard.netns.netlink.framing import MalformedMessage, Message, receive, split_messages
from dashboard.netns.netlink.interfaces import ChangedObjects, LinkTable, read_hops, read_links, read_nsids

_log = logging.getLogger(__name__)

#: Returns namespaces as ``Namespace.of_machine`` takes them.
Peers = Callable[[], Iterable[tuple[int, str]]]

_FIRST_WAIT_S = 0.001  # adding an address sends one event for it and one for each of its routes
_BURST_WAIT_S = 0.005
_MAX_WAIT_S = 0.1
_BURST_GAP_S = 0.02
_SLICE_S = 0.0015


class LinkFeed:
    """Applies rtnetlink events to ``table``. Calls ``changed`` when the table may have changed: shortly after the first
    event of a burst, then every few milliseconds.

    ``events`` is a socket that is subscribed to rtnetlink's groups. ``dumps`` is a socket for requests. The caller
    closes both sockets after ``stop``. ``peers`` returns the namespaces in which the other ends of veth pairs may be;
    it is called in threads. Everything is read again after lost events (ENOBUFS), a malformed message or a refused
    request.
    """

    def __init__(
        self,
        events: socket.socket,
        dumps: socket.socket,
        table: LinkTable,
        changed: Callable[[], None],
        peers: Peers | None = None,
    ) -> None:
        self.table = table
        self._peers = peers
        self._events = events
        self._dumps = dumps
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._lock = asyncio.Lock()
        self._backlog: list[Message] | None = None
        self._stale_routes = False
        self._lost = False
        self._timer: asyncio.TimerHandle | None = None
        self._refresh: asyncio.Task[None] | None = None
        self._flushed_at = 0.0
        self._wait_s = _BURST_WAIT_S
        self._stopped = False
        self._loop.add_reader(events.fileno(), self._read)

    def stop(self) -> None:
        """Stops reading events; ``changed`` is no longer called."""
        self._stopped = True
        with suppress(RuntimeError):  # the loop may be closed already
            self._loop.remove_reader(self._events.fileno())
        if self._timer is not None:
            self._timer.cancel()
        if self._refresh is not None:
            self._refresh.cancel()

    @property
    def lost(self) -> bool:
        """Whether the table may be wrong, for example after lost events. False again once everything has been read."""
        return self._lost

    async def reload(self) -> None:
        """Reads everything again, in a thread. Raises OSError if the kernel refuses."""
        async with self._lock:
            self._lost = False
            self._backlog = []
            try:
                table = await in_own_thread(lambda: load_table(self.table.netns, self._dumps, self._peers))
            except BaseException:
                self._lost = True
                raise
            finally:
                backlog, self._backlog = self._backlog, None
            # Events read during the dump may be older than it, but the latest state of every link and address is either
            # in the dump or in the backlog, so the result is correct.
            for message in backlog:
                table.apply(message)
            table.names_version = self.table.names_version + 1
            self.table = table
            self._stale_routes = bool(backlog)

    def _read(self) -> None:
        changed = ChangedObjects.NOTHING
        until = self._loop.time() + _SLICE_S
        while self._loop.time() < until:
            try:
                data = receive(self._events)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    _log.warning("rtnetlink events could not be read: %s", error)
                self._lost = True
                break
            changed |= self._apply(data)
        self._stale_routes = self._stale_routes or ChangedObjects.ROUTES in changed
        if changed is not ChangedObjects.NOTHING or self._lost:
            self._flush_later()

    def _apply(self, data: bytes) -> ChangedObjects:
        changed = ChangedObjects.NOTHING
        try:
            for message in split_messages(data):
                if self._backlog is not None:
                    self._backlog.append(message)
                changed |= self.table.apply(message)
        except MalformedMessage as error:
            _log.warning("malformed rtnetlink event: %s", error)
            self._lost = True
        return changed

    def _flush_later(self) -> None:
        if self._timer is None and self._refresh is None and not self._stopped:
            quiet = self._loop.time() - self._flushed_at > _BURST_GAP_S
            self._timer = self._loop.call_later(_FIRST_WAIT_S if quiet else self._wait_s, self._flush)

    def _flush(self) -> None:
        self._timer = None
        if self._stale_routes or self._lost or self.table.stale_peers or self.table.unknown_nsids:
            self._refresh = self._loop.create_task(self._refresh_stale())
        else:
            self._flushed_at = self._loop.time()
            self._changed()

    async def _refresh_stale(self) -> None:
        started = self._loop.time()
        try:
            if self._lost:
                await self.reload()
            while self._stale_routes or self.table.stale_peers or self.table.unknown_nsids:
                await self._read_stale()
            self._changed()
            self._flushed_at = self._loop.time()
            self._wait_s = min(max(_BURST_WAIT_S, self._flushed_at - started), _MAX_WAIT_S)
        except (OSError, MalformedMessage) as error:
            self._lost = True  # the owner of the feed calls ``reload`` later
            _log.warning("links and routes could not be read: %s", error)
        finally:
            self._refresh = None
        if self._stale_routes:
            self._flush_later()

    async def _read_stale(self) -> None:
        """Reads what events do not report: removed routes, changed peers of veth links, and the namespaces of these
        peers."""
        async with self._lock:
            routes, self._stale_routes = self._stale_routes, False
            stale = frozenset(self.table.stale_peers)
            hops, links = await in_own_thread(
                lambda: (read_hops(self._dumps) if routes else None, read_links(self._dumps, stale))
            )
            self.table.stale_peers -= stale
            if hops is not None:
                self.table.replace_routes(hops)
            for message in links:
                self.table.apply(message)
                self.table.stale_peers -= stale
            if self.table.unknown_nsids:
                self.table.identify(await in_own_thread(lambda: read_nsids(self._dumps, _places(self._peers))))


def _places(peers: Peers | None) -> Iterable[tuple[int, str]]:
    return peers() if peers is not None else ()


def load_table(netns: int, dumps: socket.socket, peers: Peers | None) -> LinkTable:
    """Returns a new table with the links, addresses and routes of the namespace with the inode ``netns``. ``dumps`` is
    an rtnetlink socket of this namespace. For ``peers``, see ``LinkFeed``. Call it in a thread."""
    table = LinkTable(netns)
    table.load(dumps)
    table.identify(read_nsids(dumps, _places(peers)))
    return table
