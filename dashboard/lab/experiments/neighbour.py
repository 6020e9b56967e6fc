"""Namespaces beside the machine: a private host's neighbour, with the requests from it that the machine's packet filter
drops, and the bridges of a rootless Podman."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.modes import NEIGHBOUR, ROOTLESS_NETNS
from dashboard.core.namespaces.visibility import ROOTLESS_TITLE
from dashboard.core.paths.drops import describe_drops, read_drops
from dashboard.engine.daemon_process import rootless_netns
from dashboard.engine.hosts.neighbour import neighbour_path
from dashboard.engine.protocol import EngineInfo
from dashboard.lab.context import Context
from dashboard.lab.experiments.observer import ObservationTarget
from dashboard.netns.firewall import read_counted_listing
from dashboard.netns.namespace import Namespace, NamespaceGone


def find_neighbour(context: Context) -> ObservationTarget | None:
    """The neighbour's namespace; None if the engine's machine has no neighbour, such as RootlessKit's namespace."""
    info = context.info
    on_lan = context.private and info.pid is not None and info.machine_title != ROOTLESS_TITLE
    path = neighbour_path(info.endpoint) if on_lan else ""
    if not path or info.pid is None:
        return None
    try:
        Namespace.of_path_inside(info.pid, path).close()
    except (NamespaceGone, OSError):
        return None
    return ObservationTarget(NEIGHBOUR, info.pid, NEIGHBOUR, "", "", netns=path, empty=True)


def is_rootless_podman(info: EngineInfo) -> bool:
    """Whether bridges are in a namespace of the user's that is visible from here."""
    return info.rootless and info.kind is EngineKind.PODMAN and info.pid is not None


def find_rootless_netns(context: Context) -> ObservationTarget | None:
    """The namespace of a rootless Podman's bridges; None while no container is on one."""
    info = context.info
    found = rootless_netns(info.pid) if info.pid is not None and is_rootless_podman(info) else None
    if found is None:
        return None
    return ObservationTarget(ROOTLESS_NETNS, found[0], ROOTLESS_NETNS, "", "", netns=found[1], empty=True)


#: How the namespaces of columns that are no containers are found, by column.
BESIDE: Mapping[str, Callable[[Context], ObservationTarget | None]] = {
    NEIGHBOUR: find_neighbour,
    ROOTLESS_NETNS: find_rootless_netns,
}


async def explain_drop(machine: Namespace, backend: str, repeat: Callable[[], Awaitable[object]], *, ipv6: bool) -> str:
    """Repeats a request that was not answered, and states which rules of the machine dropped it; empty if no rule
    counted a packet."""
    before = await read_counted_listing(machine, backend, ipv6=ipv6)
    await repeat()
    after = await read_counted_listing(machine, backend, ipv6=ipv6)
    if error := before.error or after.error:
        return f"The machine's rules cannot be read: {error}"
    return describe_drops(read_drops(before.text.splitlines(), after.text.splitlines()))
