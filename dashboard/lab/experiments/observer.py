"""Observes the network namespaces of one experiment's columns. If several columns share a namespace, each change is
reported once for all of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from msgspec import UNSET

from dashboard.core.modes import MACHINE, Mode
from dashboard.core.namespaces.hosts_file import parse_hosts
from dashboard.core.namespaces.resolver import NAMESPACE_GONE, classify, parse_resolv_conf
from dashboard.core.namespaces.state import HostsEntry, Lookup, NamespaceState, Origin, Resolver, sorted_state
from dashboard.lab.watch_pool import WatchPool
from dashboard.netns.files import read_inside, shows_files
from dashboard.netns.lookup import lookup
from dashboard.netns.namespace_ids import hostname, namespaces
from dashboard.netns.watch.link_feed import Peers
from dashboard.netns.watch.namespace_watch import KernelView

log = logging.getLogger(__name__)
#: Docker reads this file if /etc/resolv.conf contains only systemd-resolved's stub resolver (Moby, resolvconf.Path).
UPSTREAM = "/run/systemd/resolve/resolv.conf"


@dataclass(frozen=True, slots=True)
class ObservationTarget:
    """A process whose namespaces are observed as the column ``key``.

    ``resolv_conf`` and ``hosts`` are the paths of its resolver files. The files are read through the Engine's process,
    because a private host has its own mounts. ``firewall_backend`` is the backend that the engine names, empty if it
    names none. It is None if the firewall's rules are not observed for this target: if several columns share a
    namespace, only one of them observes the rules.
    """

    key: str
    pid: int
    mode: str
    resolv_conf: str
    hosts: str
    dns: tuple[str, ...] = ()
    firewall_backend: str | None = None
    #: The path of the network namespace if it is not that of ``pid``; otherwise empty.
    netns: str = ""
    #: Whether the namespace contains no process, so that it has no host name, no files and no resolver.
    empty: bool = False
    #: The Engine's process if the namespace belongs to another machine; None for the experiment's own Engine.
    engine_pid: int | None = None
    #: The id of the container whose first process is ``pid``; empty if ``pid`` is not in a container.
    container: str = ""


@dataclass(slots=True)
class Observation:
    """A target that is being observed, with its newest state. ``token`` identifies the subscription in the
    ``WatchPool``."""

    target: ObservationTarget
    inode: int
    state: NamespaceState
    token: object = field(default_factory=object)


OnChange = Callable[[dict[str, NamespaceState]], None]


class Observer:
    """Observes columns and holds the newest state of each. ``on_change`` is called with the new states, by column key.
    Columns that share a namespace are reported in one call."""

    def __init__(
        self,
        pool: WatchPool,
        engine_pid: Callable[[], int | None],
        on_change: OnChange,
        bridges: Peers = tuple,
    ) -> None:
        """``engine_pid`` returns the pid of the Engine, None if it is not a process of this machine. ``bridges``
        returns the namespaces of the Engine's bridges, each as a pid and a path. It returns none if the bridges are in
        the Engine's own namespace."""
        self._pool = pool
        self._pid_of_engine = engine_pid
        self._bridges = bridges
        self._on_change = on_change
        self._observed: dict[str, Observation] = {}
        self._batch: set[str] = set()
        self._lookup_lock = asyncio.Lock()
        self._lookups: asyncio.Task[None] | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the observed columns."""
        return tuple(self._observed)

    def state(self, key: str) -> NamespaceState:
        """Returns the newest state of an observed column."""
        return self._observed[key].state

    def target(self, key: str) -> ObservationTarget | None:
        """Returns the target that is observed as this column; None if the column is not observed."""
        found = self._observed.get(key)
        return found.target if found else None

    def inode(self, key: str) -> int | None:
        """Returns the inode of a column's network namespace; None if the column is not observed."""
        found = self._observed.get(key)
        return found.inode if found else None

    async def add(self, target: ObservationTarget, lookups: tuple[Lookup, ...] = ()) -> NamespaceState:
        """Starts to observe a target and returns its state. Replaces an earlier target of the same column. ``lookups``
        are the results of name lookups that an earlier observation has recorded. Raises NamespaceGone if the target's
        process has ended."""
        token = object()

        def changed(view: KernelView) -> None:
            self._on_kernel_change(target.key, view)

        other = target.engine_pid
        engine_pid = self._pid_of_engine if other is None else lambda: other
        inode, view = await self._pool.subscribe(
            *(token, target.pid, changed, engine_pid, target.firewall_backend, target.netns, self._bridges),
            container=target.container,
        )
        try:
            state = NamespaceState(inode, namespaces={"net": inode})
            if not target.empty:
                (resolver, hosts), names, host = await asyncio.gather(
                    asyncio.to_thread(self._files, target),
                    asyncio.to_thread(namespaces, target.pid),
                    asyncio.to_thread(hostname, target.pid),
                )
                state = NamespaceState(
                    inode, hostname=host, namespaces=names, resolver=resolver, hosts=hosts, lookups=lookups
                )
            await self.remove(target.key)
            view = self._pool.view(inode) or view  # includes changes since, which were not reported
        except BaseException:
            await self._pool.unsubscribe(token, inode)
            raise
        state = _with_view(state, view, target)
        self._observed[target.key] = Observation(target, inode, state, token)
        return state

    async def settle(self) -> None:
        """Waits until the owners of all listeners are final (``WatchPool.settle``), and all changes until now are
        reported."""
        inodes = {observed.inode for observed in self._observed.values()}
        await asyncio.gather(*(self._pool.settle(inode) for inode in inodes))
        await asyncio.sleep(0)  # changes are reported in the loop's next turn

    async def remove(self, key: str) -> None:
        """Ends the observation of a column, if it is observed."""
        self._batch.discard(key)
        observed = self._observed.pop(key, None)
        if observed is not None:
            await self._pool.unsubscribe(observed.token, observed.inode)

    async def close(self) -> None:
        """Ends all observations and lookups."""
        if self._lookups is not None:
            self._lookups.cancel()
        for key in self.keys:
            await self.remove(key)

    @property
    def _engine_pid(self) -> int:
        return self._pid_of_engine() or 1

    def _files(self, target: ObservationTarget) -> tuple[Resolver | None, tuple[HostsEntry, ...]]:
        engine = target.engine_pid or self._engine_pid
        text = read_inside(engine, target.resolv_conf) if target.resolv_conf else None
        # A block list may have several MiB; parse_hosts returns only its first entries.
        hosts = read_inside(engine, target.hosts, truncate=True) if target.hosts else None
        parsed_hosts = parse_hosts(hosts.decode(errors="replace")) if hosts is not None else ()
        if text is None:
            return Resolver(origin=Origin.UNREADABLE), parsed_hosts
        resolver = parse_resolv_conf(text.decode(errors="replace"))
        if target.mode == MACHINE:
            return replace(resolver, origin=Origin.MACHINE), parsed_hosts
        machine = _resolver_of(engine, "/etc/resolv.conf") or Resolver()
        upstream = _resolver_of(engine, UPSTREAM)
        origin = classify(resolver, machine, Mode(target.mode), target.dns, upstream)
        return replace(resolver, origin=origin), parsed_hosts

    async def reread_files(self) -> None:
        """Reads the resolver and hosts files of all columns again, because the kernel does not report changes of files.

        If the Engine's process ends meanwhile, discards what it has read, because the files are not visible then.
        """
        changed: dict[str, NamespaceState] = {}
        for key, observed in list(self._observed.items()):
            if observed.target.empty:
                continue
            engine = self._engine_pid
            resolver, hosts = await asyncio.to_thread(self._files, observed.target)
            if key not in self._observed or engine != self._engine_pid:
                continue
            if not shows_files(observed.target.engine_pid or engine):
                continue
            state = replace(observed.state, resolver=resolver, hosts=hosts)
            if state != observed.state:
                observed.state = state
                changed[key] = state
        if changed:
            self._on_change(changed)

    async def refresh_firewall(self) -> None:
        """Reads the firewall's rules again, in each namespace in which they are observed."""
        for inode in {observed.inode for observed in self._observed.values()}:
            await self._pool.refresh_firewall(inode)

    def start_lookups(self, names: Sequence[str]) -> None:
        """Starts ``look_up`` in the background. Cancels an earlier call that has not finished."""
        if self._lookups is not None:
            self._lookups.cancel()
        self._lookups = asyncio.get_running_loop().create_task(self.look_up(names))

    async def wait_for_lookups(self) -> None:
        """Waits until the lookups that ``start_lookups`` has started are finished. This includes those that are started
        meanwhile."""
        while self._lookups is not None and not self._lookups.done():
            await asyncio.wait([self._lookups])

    async def look_up(self, names: Sequence[str]) -> None:
        """Resolves the names inside the namespaces of every column, all at the same time, and reports changed
        results."""
        async with self._lookup_lock:
            asked = [(key, observed) for key, observed in self._observed.items() if not observed.target.empty]
            found = await asyncio.gather(
                *(asyncio.gather(*(self._lookup(observed, name) for name in names)) for _, observed in asked)
            )
            changed: dict[str, NamespaceState] = {}
            for (key, _), answers in zip(asked, map(tuple, found), strict=True):
                observed = self._observed.get(key)
                if observed is None or _same_answers(observed.state.lookups, answers):
                    continue
                observed.state = replace(observed.state, lookups=answers)
                changed[key] = observed.state
            if changed:
                self._on_change(changed)

    async def _lookup(self, observed: Observation, name: str) -> Lookup:
        namespace = self._pool.namespace(observed.inode)
        if namespace is None:
            return Lookup(name, NAMESPACE_GONE)
        return await lookup(namespace, name, observed.state.resolver or Resolver(), observed.state.hosts)

    def _on_kernel_change(self, key: str, view: KernelView) -> None:
        observed = self._observed.get(key)
        if observed is None:
            return
        state = _with_view(observed.state, view, observed.target)
        if state == observed.state:
            return
        observed.state = state
        # Columns that share a namespace each get the same change; it is reported once, for all of them.
        if not self._batch:
            asyncio.get_running_loop().call_soon(self._publish)
        self._batch.add(key)

    def _publish(self) -> None:
        batch, self._batch = self._batch, set()
        # The newest states: lookups and files may have been read since the change.
        self._on_change({key: self._observed[key].state for key in batch})


def _resolver_of(engine: int, path: str) -> Resolver | None:
    """Returns the resolver configuration in the file ``path`` as the Engine sees it. Returns None if the file cannot be
    read. ``engine`` is the pid of the Engine's process."""
    text = read_inside(engine, path)
    return None if text is None else parse_resolv_conf(text.decode(errors="replace"))


def _with_view(state: NamespaceState, view: KernelView, target: ObservationTarget) -> NamespaceState:
    return sorted_state(
        replace(
            state,
            interfaces=view.interfaces,
            routes=view.routes,
            listeners=view.listeners,
            sysctls=view.sysctls,
            firewall=view.firewall if target.firewall_backend is not None else UNSET,
        )
    )


def _same_answers(before: Sequence[Lookup], after: Sequence[Lookup]) -> bool:
    """Returns whether two lists of lookups differ at most in their durations."""
    return [replace(one, time_us=None) for one in before] == [replace(one, time_us=None) for one in after]
