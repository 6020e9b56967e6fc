"""The network modes, what each does, and what may be asked of one arm.

Source of the facts: Docker's documentation on network drivers, and ``docs/modes.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

#: The key of the column that shows the machine: the network stack that host mode shares.
MACHINE = "machine"


class Mode(StrEnum):
    """Docker's network modes, by the name that Netmodes gives them."""

    HOST = "host"
    BRIDGE = "bridge"
    USER_BRIDGE = "user-bridge"
    NONE = "none"
    CONTAINER = "container"
    MACVLAN = "macvlan"
    IPVLAN = "ipvlan"
    OVERLAY = "overlay"


#: Modes for which the Engine needs a network that Netmodes makes for the experiment.
NETWORK_DRIVERS = {
    Mode.USER_BRIDGE: "bridge",
    Mode.MACVLAN: "macvlan",
    Mode.IPVLAN: "ipvlan",
    Mode.OVERLAY: "overlay",
}


@dataclass(frozen=True, slots=True)
class Available:
    """The mode works on this engine."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The mode cannot work here; ``reason`` is one sentence for a person."""

    reason: str


Availability = Available | Unavailable


@dataclass(frozen=True, slots=True)
class Publish:
    """A port as asked with ``-p``. ``host_port`` 0 lets the Engine choose."""

    container_port: int
    host_port: int = 0
    protocol: str = "tcp"
    host_address: str = ""


@dataclass(frozen=True, slots=True)
class ArmSpec:
    """One container in one mode, as wanted. ``target`` is the key of the arm whose
    namespace a ``container`` arm shares. ``command`` empty means the image's own."""

    key: str
    mode: Mode
    image: str = "nginx"
    target: str | None = None
    command: tuple[str, ...] = ()
    port: int = 80
    publish: tuple[Publish, ...] = ()
    publish_all: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    hostname: str = ""
    dns: tuple[str, ...] = ()
    add_host: tuple[str, ...] = ()
    sysctls: dict[str, str] = field(default_factory=dict)
    user: str = ""


@dataclass(frozen=True, slots=True)
class ExperimentSpec:
    """One comparison: an image, a port, and two or more arms. ``names`` are looked up
    from inside every column besides the standard ones."""

    title: str
    image: str
    port: int
    arms: tuple[ArmSpec, ...]
    names: tuple[str, ...] = ()
