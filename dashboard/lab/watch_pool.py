"""One kernel watch per network namespace, shared by all its columns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from dashboard.netns.namespace import Namespace
from dashboard.netns.watch.namespace_watch import KernelView, Watch

Subscriber = Callable[[KernelView], None]


@dataclass(frozen=True, slots=True)
class _Subscription:
    on_change: Subscriber
    pid: int
    engine_pid: Callable[[], int | None]


@dataclass(slots=True)
class _Shared:
    watch: Watch
    namespace: Namespace
    subscriptions: dict[object, _Subscription] = field(default_factory=dict)


class WatchPool:
    """Opens a watch at the first subscription, and closes it after the last one."""

    def __init__(self) -> None:
        self._shared: dict[int, _Shared] = {}
        self._lock = asyncio.Lock()

    async def subscribe(
        self,
        token: object,
        pid: int,
        on_change: Subscriber,
        engine_pid: Callable[[], int | None],
    ) -> tuple[int, KernelView]:
        """Watches the namespace of ``pid``; returns its inode and the current view. ``engine_pid`` returns the Engine's
        process, which passes sockets on and keeps those of its resolver."""
        subscription = _Subscription(on_change, pid, engine_pid)
        namespace = await asyncio.to_thread(Namespace.of_pid, pid)
        inode = namespace.inode
        async with self._lock:
            shared = self._shared.get(inode)
            if shared is not None:
                namespace.close()
            else:

                def current() -> list[_Subscription]:
                    opened = self._shared.get(inode)
                    return list(opened.subscriptions.values()) if opened else [subscription]

                def publish(view: KernelView) -> None:
                    for each in current():
                        each.on_change(view)

                def engines() -> set[int]:
                    return {engine for each in current() if (engine := each.engine_pid()) is not None}

                def candidates() -> Iterable[int]:
                    return (*(each.pid for each in current()), *engines())

                try:
                    watch = await Watch.open(namespace, publish, candidates=candidates, engines=engines)
                except BaseException:
                    namespace.close()
                    raise
                shared = self._shared[inode] = _Shared(watch, namespace)
            shared.subscriptions[token] = subscription
            return inode, shared.watch.view

    def namespace(self, inode: int) -> Namespace | None:
        """The open namespace of a watched inode."""
        shared = self._shared.get(inode)
        return shared.namespace if shared else None

    def view(self, inode: int) -> KernelView | None:
        """The current view of a watched namespace."""
        shared = self._shared.get(inode)
        return shared.watch.view if shared else None

    async def settle(self, inode: int) -> None:
        """Waits until the owners of all listeners in a watched namespace are known and final."""
        if (shared := self._shared.get(inode)) is not None:
            await shared.watch.settle()

    async def unsubscribe(self, token: object, inode: int) -> None:
        """Ends a subscription; the last one closes the watch."""
        async with self._lock:
            shared = self._shared.get(inode)
            if shared is None:
                return
            shared.subscriptions.pop(token, None)
            if not shared.subscriptions:
                del self._shared[inode]
                shared.watch.close()
                shared.namespace.close()

    async def resync(self) -> None:
        """Reads every namespace again, after a gap in the events."""
        for shared in list(self._shared.values()):
            await shared.watch.resync()

    async def close(self) -> None:
        """Closes everything."""
        async with self._lock:
            for shared in self._shared.values():
                shared.watch.close()
                shared.namespace.close()
            self._shared.clear()
