"""One kernel watch per network namespace, shared by all its columns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from dashboard.netns.namespace import Namespace
from dashboard.netns.watch.namespace_watch import KernelView, Watch

Subscriber = Callable[[KernelView], None]


@dataclass(slots=True)
class _Shared:
    watch: Watch
    namespace: Namespace
    subscribers: dict[object, Subscriber] = field(default_factory=dict)
    candidates: dict[object, Callable[[], Iterable[int]]] = field(default_factory=dict)


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
        candidates: Callable[[], Iterable[int]],
    ) -> tuple[int, KernelView]:
        """Watches the namespace of ``pid``; returns its inode and the current view."""
        namespace = await asyncio.to_thread(Namespace.of_pid, pid)
        inode = namespace.inode
        async with self._lock:
            shared = self._shared.get(inode)
            if shared is not None:
                namespace.close()
            else:

                def publish(view: KernelView) -> None:
                    current = self._shared.get(inode)
                    for subscriber in list(current.subscribers.values()) if current else ():
                        subscriber(view)

                def all_candidates() -> Iterable[int]:
                    current = self._shared.get(inode)
                    for candidates_of in list(current.candidates.values()) if current else (candidates,):
                        yield from candidates_of()

                try:
                    watch = await Watch.open(namespace, publish, candidates=all_candidates)
                except BaseException:
                    namespace.close()
                    raise
                shared = self._shared[inode] = _Shared(watch, namespace)
            shared.subscribers[token] = on_change
            shared.candidates[token] = candidates
            return inode, shared.watch.view

    def namespace(self, inode: int) -> Namespace | None:
        """The open namespace of a watched inode."""
        shared = self._shared.get(inode)
        return shared.namespace if shared else None

    def view(self, inode: int) -> KernelView | None:
        """The current view of a watched namespace."""
        shared = self._shared.get(inode)
        return shared.watch.view if shared else None

    async def unsubscribe(self, token: object, inode: int) -> None:
        """Ends a subscription; the last one closes the watch."""
        async with self._lock:
            shared = self._shared.get(inode)
            if shared is None:
                return
            shared.subscribers.pop(token, None)
            shared.candidates.pop(token, None)
            if not shared.subscribers:
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
