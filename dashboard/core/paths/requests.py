"""The HTTP requests of “Try” and Trace: over which paths they are sent, and attempts that have no result yet."""

from collections.abc import Hashable, Mapping, Sequence

from dashboard.core.experiments.journal import Attempt
from dashboard.core.experiments.messages import Column
from dashboard.core.namespaces.resolver import is_loopback
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.paths.clients.machines import MachineClient
from dashboard.core.paths.finder import find_paths
from dashboard.core.paths.model import FILTERED_KINDS, MACHINE_KEY, Path, PathKind, first_available

#: The kinds that are requested, in the order of preference for a comparison.
REQUESTED_KINDS = (
    PathKind.LOOPBACK,
    PathKind.PUBLISHED_PROXY,
    PathKind.PUBLISHED_DNAT,
    PathKind.PUBLISHED_ROOTLESS,
    PathKind.BRIDGE_ADDRESS,
    PathKind.MACHINE_ADDRESS,
    PathKind.INSIDE,
    PathKind.LAN_ADDRESS,
    PathKind.LAN_PUBLISHED,
    PathKind.LAN_CONTAINER,
    PathKind.PEER_ADDRESS,
    PathKind.PEER_PUBLISHED,
    PathKind.PEER_CONTAINER,
    PathKind.REMOTE_ADDRESS,
    PathKind.REMOTE_PUBLISHED,
    PathKind.REMOTE_OVERLAY,
    PathKind.REMOTE_CONTAINER,
    PathKind.HAIRPIN,
    PathKind.TO_LAN,
    PathKind.FROM_MACHINE_ADDRESS,
    PathKind.FROM_MACHINE_PUBLISHED,
    PathKind.FROM_MACHINE_CONTAINER,
    PathKind.FROM_MACHINE_OVERLAY,
)


def request_key(path: Path) -> str:
    """Returns the key of a request, such as ``bridge/published-proxy/127.0.0.1:8080``; empty for an unavailable path.

    The key contains the client if several clients request the same address: containers that request the neighbour, or
    machines that request a container.
    """
    if not path.target:
        return ""
    server = path.client if path.kind is PathKind.TO_LAN else path.server
    machine = path.client if path.client.startswith(MACHINE_KEY) else ""
    return f"{server}/{path.kind}{machine}/{path.target}"


def request_url(path: Path) -> str:
    """Returns the URL to request. Empty if the path does not exist."""
    return f"http://{path.target}/" if path.target else ""


def new_attempt(path: Path) -> Attempt:
    """Returns an attempt without a result. Its field ``curl`` is a command that sends the same request from the
    client's namespace."""
    url = request_url(path)
    return Attempt(
        str(path.kind),
        path.title,
        path.client,
        path.server,
        url,
        f"curl -i {url}" if url else "",
        unavailable=path.unavailable,
        key=request_key(path),
    )


def requested_paths(
    columns: Sequence[Column], states: Mapping[str, NamespaceState], machines: Sequence[MachineClient] = ()
) -> tuple[Path, ...]:
    """Returns the paths to request: one for each destination, over IPv4 if possible. Paths that do not exist are
    included with the reason."""
    paths = (path for path in find_paths(columns, states, machines) if path.kind in REQUESTED_KINDS)
    by_destination = first_available(paths, _destination)
    return first_available(by_destination, lambda path: request_key(path) or (path.server, path.unavailable))


def _destination(path: Path) -> Hashable:
    """Returns a key for a destination, that is, for a server and for what the client connects to.

    Each network of the server is a destination. A published port is two destinations: loopback and the machine's
    address, whichever program forwards there. From outside the machine, each address family is a separate destination,
    because docker-proxy may answer one family and DNAT the other.
    """
    if path.kind not in {PathKind.PUBLISHED_PROXY, PathKind.PUBLISHED_DNAT, PathKind.PUBLISHED_ROOTLESS}:
        return path.server, path.kind, path.network, path.client, path.kind in FILTERED_KINDS and path.family
    if path.address:
        return path.server, is_loopback(path.address)
    return path.server, path.kind is PathKind.PUBLISHED_PROXY


def path_to_compare(paths: Sequence[Path], path: Path) -> Path | None:
    """Returns the path with which a trace compares ``path``; None if no other path exists. Prefers, in this order of
    importance, a path to another server, from the same client, and of another kind."""
    return min(
        (other for other in paths if other.address and request_key(other) != request_key(path)),
        key=lambda other: (
            other.server == path.server,
            other.client != path.client,
            other.kind is path.kind,
            REQUESTED_KINDS.index(other.kind),
        ),
        default=None,
    )
