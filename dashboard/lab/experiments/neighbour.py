"""The neighbour of a private host, and the requests from it that the machine's packet filter drops."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dashboard.core.namespaces.visibility import ROOTLESS_TITLE
from dashboard.core.paths.drops import describe_drops, read_drops
from dashboard.engine.hosts.neighbour import neighbour_path
from dashboard.lab.context import Context
from dashboard.netns.firewall import read_counted_listing
from dashboard.netns.namespace import Namespace, NamespaceGone


def find_neighbour(context: Context) -> str:
    """The path of the neighbour's namespace as the engine sees it; empty if the engine's machine has none, such
    as RootlessKit's namespace, which is behind the host."""
    info = context.info
    on_lan = context.private and info.pid is not None and info.machine_title != ROOTLESS_TITLE
    path = neighbour_path(info.endpoint) if on_lan else ""
    if not path or info.pid is None:
        return ""
    try:
        Namespace.of_path_inside(info.pid, path).close()
    except (NamespaceGone, OSError):
        return ""
    return path


async def explain_drop(machine: Namespace, backend: str, repeat: Callable[[], Awaitable[object]], *, ipv6: bool) -> str:
    """Repeats a request that was not answered, and states which rules of the machine dropped it; empty if no rule
    counted a packet."""
    before = await read_counted_listing(machine, backend, ipv6=ipv6)
    await repeat()
    after = await read_counted_listing(machine, backend, ipv6=ipv6)
    if error := before.error or after.error:
        return f"The machine's rules cannot be read: {error}"
    return describe_drops(read_drops(before.text.splitlines(), after.text.splitlines()))
