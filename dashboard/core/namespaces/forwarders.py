"""The processes that forward published ports in user space, by their names."""

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
