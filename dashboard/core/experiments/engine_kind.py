"""The kinds of engine that answer Docker's API, and how each is named."""

from enum import StrEnum


class EngineKind(StrEnum):
    """The program behind Docker's API."""

    DOCKER = "docker"
    PODMAN = "podman"


#: The name of the product, as its own documentation writes it.
ENGINE_NAMES = {EngineKind.DOCKER: "Docker Engine", EngineKind.PODMAN: "Podman"}
#: The name as the subject of what the engine and its helpers do.
SHORT_NAMES = {EngineKind.DOCKER: "Docker", EngineKind.PODMAN: "Podman"}


def describe_engine(kind: EngineKind, version: str) -> str:
    """The engine in a sentence: ``Docker Engine 26.1.5``, ``Podman 5.4.2``."""
    return f"{ENGINE_NAMES[kind]} {version}".strip()
