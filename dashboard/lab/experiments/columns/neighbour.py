"""Finds the namespaces that belong to no container but have a column: that of a private host's neighbour, and that of a
rootless Podman's bridges. Runs the neighbour's server."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.modes import NEIGHBOUR, ROOTLESS_NETNS
from dashboard.core.namespaces.visibility import ROOTLESS_TITLE
from dashboard.core.paths.outside import NEIGHBOUR_PORT
from dashboard.engine.daemon_process import rootless_netns
from dashboard.engine.hosts.neighbour import neighbour_path
from dashboard.engine.protocol import EngineInfo
from dashboard.lab.context import Context
from dashboard.lab.experiments.observer import ObservationTarget
from dashboard.netns.address_server import AddressServer
from dashboard.netns.namespace import Namespace, NamespaceGone, in_own_thread

log = logging.getLogger(__name__)


def find_neighbour(context: Context) -> ObservationTarget | None:
    """Returns the namespace of the private host's neighbour as a target to observe. Returns None if there is no
    neighbour, for example because the engine runs rootless, in RootlessKit's network namespace."""
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
    """Returns whether the Engine is a rootless Podman on this machine. Such a Podman has its bridges in a separate
    namespace."""
    return info.rootless and info.kind is EngineKind.PODMAN and info.pid is not None


def find_rootless_netns(context: Context) -> ObservationTarget | None:
    """Returns the namespace of a rootless Podman's bridges as a target to observe; None while no container uses a
    bridge."""
    info = context.info
    found = rootless_netns(info.pid) if info.pid is not None and is_rootless_podman(info) else None
    if found is None:
        return None
    return ObservationTarget(ROOTLESS_NETNS, found[0], ROOTLESS_NETNS, "", "", netns=found[1], empty=True)


def find_bridges(context: Context) -> list[tuple[int, str]]:
    """Returns the network namespace of the Engine's bridges, if it is not that of the Engine's process. Blocks.

    The result is a list of one pair: a pid and a path (the arguments of ``Namespace.of_machine``). The list is empty if
    there is no such namespace. The bridges are in a separate namespace with a rootless Podman, and with a dockerd that
    runs outside RootlessKit's namespace.
    """
    info = context.info
    if info.pid is not None and info.netns:
        return [(info.pid, info.netns)]
    found = find_rootless_netns(context)
    return [] if found is None else [(found.pid, found.netns)]


#: The function that finds the namespace of each column that is not a container, by column.
BESIDE: Mapping[str, Callable[[Context], ObservationTarget | None]] = {
    NEIGHBOUR: find_neighbour,
    ROOTLESS_NETNS: find_rootless_netns,
}


class NeighbourServer:
    """The server in the neighbour's namespace, which answers with the client's address. It runs in the lab's process,
    so that the neighbour needs no process of its own. Several labs with the same neighbour share the port."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._server: AddressServer | None = None
        self._inode = 0
        #: The inode of the namespace for which a failure was logged. Each pass tries again, but logs it only once.
        self._logged = 0

    async def ensure(self) -> None:
        """Opens the server in the neighbour's namespace, unless it is open there. If a restarted host has a new
        neighbour, first closes the server in the old namespace. A failure is logged, not raised."""
        found = await asyncio.to_thread(find_neighbour, self._context)
        if found is None:
            self.close()
            return
        try:
            opened = partial(Namespace.of_path_inside, found.pid, found.netns)
            with await in_own_thread(opened, Namespace.close) as namespace:
                if namespace.inode == self._inode:
                    return
                self.close()
                try:
                    self._server = await AddressServer.open(namespace, NEIGHBOUR_PORT)
                    self._inode, self._logged = namespace.inode, 0
                except OSError as error:
                    if self._logged != namespace.inode:
                        log.warning("the neighbour has no server: %s", error)
                    self._logged = namespace.inode
        except (NamespaceGone, OSError):
            return

    def close(self) -> None:
        """Closes the server."""
        self._inode = 0
        if self._server is not None:
            self._server.close()
            self._server = None
