"""The kinds of engine that serve Docker's API, and the name of each."""

from collections.abc import Sequence
from enum import StrEnum


class EngineKind(StrEnum):
    """The program behind Docker's API."""

    DOCKER = "docker"
    PODMAN = "podman"


#: The name of the product, as its own documentation writes it.
ENGINE_NAMES: dict[str, str] = {EngineKind.DOCKER: "Docker Engine", EngineKind.PODMAN: "Podman"}
#: The name in sentences about what the engine or one of its programs does.
SHORT_NAMES: dict[str, str] = {EngineKind.DOCKER: "Docker", EngineKind.PODMAN: "Podman"}


#: Programs that connect a rootless container to the machine's network, each a network mode of its own.
ROOTLESS_PROGRAMS = ("pasta", "slirp4netns")


#: Why another engine has none of Podman's modes.
ONLY_PODMAN = "pasta, slirp4netns, private and ns are network modes of Podman: use Podman as the engine."


def describe_engine(kind: EngineKind, version: str) -> str:
    """Returns the name and version of the engine, such as ``Docker Engine 26.1.5`` or ``Podman 5.4.2``."""
    return f"{ENGINE_NAMES[kind]} {version}".strip()


def describe_podman(programs: Sequence[str], *, rootless: bool) -> str:
    """Describes which programs make Podman's networks, and where the bridges of a rootless Podman are."""
    names = [program for program in programs if program not in ROOTLESS_PROGRAMS]
    used = f"networks by {' and '.join(names)}" if names else "Podman does not name the programs that make its networks"
    modes = [name for name in ROOTLESS_PROGRAMS if name in programs]
    if rootless and modes:
        used += f"; {' and '.join(modes)} for containers without a bridge"
    bridges = "; bridges of a rootless Podman are in its user's rootless-netns, a separate column" if rootless else ""
    return f"{used}{bridges}"


def engine_notice(kind: EngineKind) -> str:
    """Returns a notice that some help texts describe Docker Engine only; empty for Docker Engine."""
    if kind is EngineKind.DOCKER:
        return ""
    return (
        "This is Podman behind Docker's API. The table and the diagram show what Podman and the kernel did. Help texts "
        "that name docker-proxy, docker0, dockerd or the resolver at 127.0.0.11 apply only to Docker Engine."
    )
