"""Describes paths, such as ``127.0.0.1 → published port (docker-proxy)``, and explains why one path takes longer than
another."""

from dashboard.core.namespaces.forwarders import DOCKER_PROXY, forwarder_name
from dashboard.core.paths.model import Path, PathKind, client_machine, kind_of, network_of, without_network

IPV6_SUFFIX = "-ipv6"
#: Each kind in words, and shorter for narrow charts. ``{loopback}`` is the loopback address of the family.
_WORDS: dict[str, tuple[str, str]] = {
    PathKind.LOOPBACK: ("{loopback} → host", "{loopback}"),
    PathKind.BRIDGE_ADDRESS: ("machine → container's address", "container's address"),
    PathKind.PUBLISHED_DNAT: ("machine's address → published port (DNAT)", "DNAT"),
    PathKind.PUBLISHED_PROXY: ("{loopback} → published port (docker-proxy)", "docker-proxy"),
    PathKind.PUBLISHED_ROOTLESS: ("{loopback} → published port (rootless Podman)", "rootless forwarder"),
    PathKind.CONTAINER_TO_CONTAINER: ("container → another container", "container → container"),
    PathKind.SHARED_NAMESPACE: ("{loopback} in the shared namespace", "shared namespace"),
    PathKind.RESOLVER: ("container → its resolver", "resolver"),
    PathKind.MACHINE_ADDRESS: ("machine's address → host", "machine's address"),
    PathKind.INSIDE: ("{loopback} inside the container", "inside"),
    PathKind.LAN_ADDRESS: ("neighbour → host mode", "neighbour → host"),
    PathKind.LAN_PUBLISHED: ("neighbour → published port", "neighbour → published"),
    PathKind.LAN_CONTAINER: ("neighbour → container's address", "neighbour → container"),
    PathKind.PEER_ADDRESS: ("other host → host mode", "other host → host"),
    PathKind.PEER_PUBLISHED: ("other host → published port", "other host → published"),
    PathKind.PEER_CONTAINER: ("other host → container's address", "other host → container"),
    PathKind.REMOTE_ADDRESS: ("container on the other host → host mode", "remote → host"),
    PathKind.REMOTE_PUBLISHED: ("container on the other host → published port", "remote → published"),
    PathKind.REMOTE_CONTAINER: ("container on the other host → container's address", "remote → container"),
    PathKind.REMOTE_OVERLAY: ("container on the other host → overlay network", "remote → overlay"),
    PathKind.HAIRPIN: ("container → its own published port", "hairpin"),
    PathKind.TO_LAN: ("container → neighbour", "container → neighbour"),
    PathKind.FROM_MACHINE_ADDRESS: ("from machine {machine} → host", "{machine} → host"),
    PathKind.FROM_MACHINE_PUBLISHED: ("from machine {machine} → published port", "{machine} → published"),
    PathKind.FROM_MACHINE_CONTAINER: ("from machine {machine} → container's address", "{machine} → container"),
    PathKind.FROM_MACHINE_OVERLAY: ("from machine {machine} → overlay network (VXLAN)", "{machine} → overlay"),
}
#: The maximum number of characters of a machine's name in the shorter words.
_SHORT_NAME = 12


def _describe(name: str, which: int) -> str:
    words = _WORDS.get(kind_of(name), (name, name))[which]
    if not name.endswith(IPV6_SUFFIX):
        return words.replace("{loopback}", "127.0.0.1")
    if "{loopback}" in words:
        return words.replace("{loopback}", "[::1]")
    return f"{words}, IPv6"


def describe_path(name: str) -> str:
    """Describes the path with this name, such as ``published-proxy``. An unknown name is returned unchanged."""
    words = _describe(without_network(name), 0).replace("{machine}", client_machine(name))
    return f"{words}{_describe_network(name)}"


def shorten_path(name: str) -> str:
    """Describes the path with this name in at most 28 characters, without explanations. If the path is on a network
    other than the first, the number of that network follows."""
    first, machine = without_network(name), client_machine(name)
    short = _describe(first, 1)
    family = ", IPv6" if first.endswith(IPV6_SUFFIX) and short == _describe(kind_of(name), 1) else ""
    shown = machine if len(machine) <= _SHORT_NAME else f"{machine[: _SHORT_NAME - 1]}…"
    return f"{short.replace('{machine}', shown)}{family}{_describe_network(name)}"


def _describe_network(name: str) -> str:
    number = network_of(name)
    return f", network {number}" if number > 1 else ""


def _forwarder(path: Path) -> str:
    """Returns the program that forwards in user space; empty if none does. On paths from outside the machine, its name
    is found in the hops."""
    if path.kind is PathKind.PUBLISHED_PROXY:
        return DOCKER_PROXY
    return next(filter(None, (forwarder_name(hop.partition(" ")[0]) for hop in path.hops)), "")


def cause_between(baseline: Path, other: Path) -> str:
    """Returns in one line why ``other`` takes more or less time than ``baseline``: it names the hops that only one of
    them has. Empty if the hops do not explain it. Both paths must exist, because other paths have no hops."""
    without, forwarder = _forwarder(baseline), _forwarder(other)
    if bool(without) is not bool(forwarder):
        name = without or forwarder
        cause = f"{name} copies each byte in user space, over a second connection to the container"
        return cause if forwarder else f"without {name}: {cause}"
    ranks = (PathKind.LOOPBACK, PathKind.BRIDGE_ADDRESS, PathKind.PUBLISHED_DNAT)
    if baseline.kind in ranks and other.kind in ranks and baseline.kind != other.kind:
        shorter, longer = sorted((baseline, other), key=lambda path: ranks.index(path.kind))
        causes = []
        if shorter.kind is PathKind.LOOPBACK:
            causes.append(f"each packet crosses {', '.join(longer.hops[-3:])} into another network stack instead of lo")
        if longer.kind is PathKind.PUBLISHED_DNAT:
            causes.append("each packet's address is translated (DNAT, connection tracking)")
        return "; ".join(causes) if longer is other else f"the baseline's path is longer: {'; '.join(causes)}"
    if other.kind is PathKind.CONTAINER_TO_CONTAINER and baseline.kind in {
        PathKind.LOOPBACK,
        PathKind.SHARED_NAMESPACE,
    }:
        return f"each packet crosses {', '.join(other.hops)} instead of lo"
    return ""
