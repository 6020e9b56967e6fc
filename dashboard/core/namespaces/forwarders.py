"""The processes that forward published ports in user space, by their names.

docker-proxy (Moby, cmd/docker-proxy) connects from the machine to the container's address, from an IPv6 socket to an
IPv4 address where the container has no other. rootlessport (Podman, pkg/rootlessport; RootlessKit, pkg/port/builtin)
connects inside the container's namespace to one address of the container, over whichever family a request came. pasta
(passt, fwd.c) keeps the family: what came from loopback it sends inside the namespace, all else through its tap device.
slirp4netns (its add_hostfwd) forwards IPv4 only, and for Podman only with port_handler=slirp4netns. All forward
TCP and UDP; for UDP each has a socket of its own.
"""

DOCKER_PROXY = "docker-proxy"
PASTA = "pasta"
#: Those of a rootless Podman: rootlessport for networks and slirp4netns, pasta for its own mode (podman-run(1)).
_ROOTLESS = frozenset({"rootlessport", PASTA, "slirp4netns"})


def forwarder_name(process: str | None) -> str:
    """The name of the program that forwards; empty for other processes. The name of pasta's process may end with an
    instruction set: ``pasta.avx2``."""
    name = (process or "").partition(".")[0]
    return name if name == DOCKER_PROXY or name in _ROOTLESS else ""


def is_rootless_forwarder(process: str | None) -> bool:
    """Whether a rootless Podman forwards with this process."""
    return forwarder_name(process) in _ROOTLESS


def keeps_family(process: str | None) -> bool:
    """Whether the forwarder connects to the program in the container over the address family of the request."""
    return forwarder_name(process) == PASTA
