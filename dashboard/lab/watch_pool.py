"""Shares kernel watches: all columns in a network namespace use the same watch."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from dashboard.netns.namespace import Namespace, in_own_thread
from dashboard.netns.processes import container_of
from dashboard.netns.watch.firewall_feed import FirewallFeed, rule_triggers
from dashboard.netns.watch.link_feed import Peers
from dashboard.netns.watch.namespace_watch import KernelView, Watch

Subscriber = Callable[[KernelView], None]


@dataclass(frozen=True, slots=True)
class _Subscription:
    on_change: Subscriber
    pid: int
    engine_pid: Callable[[], int | None]
    bridges: Peers
    container: str


@dataclass(slots=True)
class _Shared:
    watch: Watch
    namespace: Namespace
    subscriptions: dict[object, _Subscription] = field(default_factory=dict)
    firewall: FirewallFeed | None = None
    triggers: object = None

    @property
    def view(self) -> KernelView:
        """What the kernel reports about the namespace. Includes the firewall's rules if a subscriber needs them."""
        if self.firewall is None:
            return self.watch.view
        return replace(self.watch.view, firewall=self.firewall.rules)

    def publish(self) -> None:
        """Calls ``on_change`` of all subscribers with the current view."""
        view = self.view
        for each in list(self.subscriptions.values()):
            each.on_change(view)

    def touch_firewall(self) -> None:
        """Schedules another reading of the firewall's rules if a subscriber needs them and the kernel's state has
        changed in a way that often comes with new rules."""
        if self.firewall is not None and (triggers := rule_triggers(self.watch.view)) != self.triggers:
            self.triggers = triggers
            self.firewall.touch()

    async def read_firewall(self, backend: str) -> None:
        """Reads the firewall's rules with the tool of ``backend``. Afterwards ``touch_firewall`` schedules further
        readings."""
        watch = self.watch

        def bridges() -> list[str]:
            return [link.name for link in watch.view.interfaces if link.kind == "bridge"]

        def changed() -> None:
            if self.firewall is not None:
                self.publish()

        feed = FirewallFeed(self.namespace, backend, bridges, changed)
        self.triggers = rule_triggers(watch.view)
        await feed.refresh()
        self.firewall = feed
        self.touch_firewall()

    async def close(self) -> None:
        """Ends the watch and closes the namespace."""
        try:
            if self.firewall is not None:
                await self.firewall.close()
        finally:
            self.watch.close()
            self.namespace.close()


class WatchPool:
    """Watches network namespaces for any number of subscribers. The first subscription to a namespace opens its watch,
    and the end of the last one closes it."""

    def __init__(self) -> None:
        self._shared: dict[int, _Shared] = {}
        self._lock = asyncio.Lock()

    async def subscribe(
        self,
        token: object,
        pid: int,
        on_change: Subscriber,
        engine_pid: Callable[[], int | None],
        firewall_backend: str | None = None,
        path: str = "",
        bridges: Peers = tuple,
        container: str = "",
    ) -> tuple[int, KernelView]:
        """Subscribes to changes of a network namespace, and returns its inode and the current view.

        ``on_change`` is called with each later view. ``token`` identifies the subscription in ``unsubscribe``. The
        namespace is that of the process ``pid``. If ``path`` is not empty, it is the namespace at this path as the
        process sees it.

        ``engine_pid`` returns the pid of the Engine. The Engine can be the owner of listeners: it opens sockets in
        containers' namespaces, passes some of them on to other processes and keeps those of its resolver. ``bridges``
        returns the namespaces of the Engine's bridges, each as a pid and a path. It returns none if the bridges are in
        the Engine's own namespace.

        ``firewall_backend`` is the backend that the engine names, empty if it names none. If it is None, the view need
        not contain the firewall's rules. ``container`` is the id of the container whose first process is ``pid``. It is
        needed because rootless engines start some containers without a cgroup.
        """
        named_by_cgroup = not container or await asyncio.to_thread(container_of, pid) is not None
        subscription = _Subscription(on_change, pid, engine_pid, bridges, "" if named_by_cgroup else container)
        async with self._lock:
            namespace = await in_own_thread(partial(Namespace.of_machine, pid, path), Namespace.close)
            inode = namespace.inode
            shared = self._shared.get(inode)
            if shared is not None:
                namespace.close()
            else:

                def current() -> list[_Subscription]:
                    opened = self._shared.get(inode)
                    return list(opened.subscriptions.values()) if opened else [subscription]

                def publish(_view: KernelView) -> None:
                    opened = self._shared.get(inode)
                    if opened is not None:
                        opened.touch_firewall()
                        opened.publish()

                def engines() -> set[int]:
                    return {engine for each in current() if (engine := each.engine_pid()) is not None}

                def candidates() -> Mapping[int, str]:
                    return dict.fromkeys(engines(), "") | {each.pid: each.container for each in current()}

                def peers() -> Iterable[tuple[int, str]]:
                    return (
                        *((engine, "") for engine in engines()),
                        *(bridge for each in current() for bridge in each.bridges()),
                    )

                try:
                    watch = await Watch.open(namespace, publish, candidates=candidates, engines=engines, peers=peers)
                except BaseException:
                    namespace.close()
                    raise
                shared = self._shared[inode] = _Shared(watch, namespace)
            joined = bool(shared.subscriptions)
            shared.subscriptions[token] = subscription
            if joined and subscription.container:
                await shared.watch.find_owners_again()
            if firewall_backend is not None and shared.firewall is None:
                try:
                    await shared.read_firewall(firewall_backend)
                except BaseException:
                    await self._remove(token, inode)
                    raise
            return inode, shared.view

    def namespace(self, inode: int) -> Namespace | None:
        """Returns the open namespace with this inode; None if it is not watched."""
        shared = self._shared.get(inode)
        return shared.namespace if shared else None

    def view(self, inode: int) -> KernelView | None:
        """Returns the current view of the namespace with this inode; None if it is not watched."""
        shared = self._shared.get(inode)
        return shared.view if shared else None

    async def settle(self, inode: int) -> None:
        """Waits until the search for the owners of all listeners in a watched namespace has ended. The search takes
        time, because the Engine may still pass a new listening socket on to another process. Then reads the firewall's
        rules again if a subscriber needs them."""
        if (shared := self._shared.get(inode)) is not None:
            await shared.watch.settle()
        await self.refresh_firewall(inode)

    async def refresh_firewall(self, inode: int) -> None:
        """Reads the firewall's rules of a namespace again, if a subscriber needs them."""
        shared = self._shared.get(inode)
        if shared is not None and shared.firewall is not None:
            await shared.firewall.refresh()

    async def unsubscribe(self, token: object, inode: int) -> None:
        """Ends the subscription ``token`` to the namespace with this inode. The end of the last subscription closes the
        watch."""
        async with self._lock:
            await self._remove(token, inode)

    async def _remove(self, token: object, inode: int) -> None:
        """Does the same as ``unsubscribe``, for callers that already hold the lock."""
        shared = self._shared.get(inode)
        if shared is None:
            return
        shared.subscriptions.pop(token, None)
        if not shared.subscriptions:
            del self._shared[inode]
            await shared.close()

    async def resync(self, inode: int) -> None:
        """Reads a watched namespace again, for example to verify a cleanup."""
        if (shared := self._shared.get(inode)) is not None:
            await shared.watch.resync()
            if shared.firewall is not None:
                await shared.firewall.refresh()

    async def close(self) -> None:
        """Closes all watches."""
        async with self._lock:
            for shared in self._shared.values():
                await shared.close()
            self._shared.clear()
