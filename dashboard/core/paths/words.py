"""A path in the words of a person: ``127.0.0.1 → published port (docker-proxy)``."""

from dashboard.core.paths.model import PathKind, kind_of, network_of, without_network

IPV6_SUFFIX = "-ipv6"
#: Each kind in words, and shorter for narrow charts. ``{loopback}`` is the loopback address of the family.
_WORDS: dict[str, tuple[str, str]] = {
    PathKind.LOOPBACK: ("{loopback} → host", "{loopback}"),
    PathKind.BRIDGE_ADDRESS: ("machine → container's address", "container's address"),
    PathKind.PUBLISHED_DNAT: ("machine's address → published port (DNAT)", "DNAT"),
    PathKind.PUBLISHED_PROXY: ("{loopback} → published port (docker-proxy)", "docker-proxy"),
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
}


def _describe(name: str, which: int) -> str:
    words = _WORDS.get(kind_of(name), (name, name))[which]
    if not name.endswith(IPV6_SUFFIX):
        return words.replace("{loopback}", "127.0.0.1")
    if "{loopback}" in words:
        return words.replace("{loopback}", "[::1]")
    return f"{words}, IPv6"


def describe_path(name: str) -> str:
    """The path with this name (``published-proxy``) in words; an unknown name itself."""
    return f"{_describe(without_network(name), 0)}{_describe_network(name)}"


def shorten_path(name: str) -> str:
    """The same in at most 28 characters, without what the longer words explain; longer for a further network."""
    first = without_network(name)
    short = _describe(first, 1)
    family = ", IPv6" if name.endswith(IPV6_SUFFIX) and short == _describe(kind_of(name), 1) else ""
    return f"{short}{family}{_describe_network(name)}"


def _describe_network(name: str) -> str:
    number = network_of(name)
    return f", network {number}" if number > 1 else ""
