"""Recognises the processes that forward published ports in user space, by their names.

- docker-proxy (Moby, cmd/docker-proxy) connects from the machine to the container's address. If the container has only
  an IPv4 address, docker-proxy forwards requests over IPv6 to it, too.
- rootlessport (Podman, pkg/rootlessport; RootlessKit, pkg/port/builtin) connects inside the container's namespace to
  one address of the container, whatever the family of the request.
- pasta (passt, fwd.c) keeps the family of the request. It forwards requests from loopback to loopback inside the
  namespace, and all others through its tap device.
- slirp4netns (its add_hostfwd) forwards IPv4 only, and for Podman only with port_handler=slirp4netns.

All of them forward TCP and UDP. For UDP, each opens a socket of its own.
"""

DOCKER_PROXY = "docker-proxy"
PASTA = "pasta"
#: The forwarders of a rootless Podman: rootlessport for networks and slirp4netns, pasta for its own mode
#: (podman-run(1)).
_ROOTLESS = frozenset({"rootlessport", PASTA, "slirp4netns"})


def forwarder_name(process: str | None) -> str:
    """Returns the name of the forwarder if ``process`` is one; otherwise an empty text. The process of pasta may have
    the suffix of an instruction set, as in ``pasta.avx2``."""
    name = (process or "").partition(".")[0]
    return name if name == DOCKER_PROXY or name in _ROOTLESS else ""


def is_rootless_forwarder(process: str | None) -> bool:
    """Whether the process forwards ports for a rootless Podman."""
    return forwarder_name(process) in _ROOTLESS


def keeps_family(process: str | None) -> bool:
    """Whether the forwarder connects to the program in the container over the same address family as the request."""
    return forwarder_name(process) == PASTA
