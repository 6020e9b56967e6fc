"""The network modes of Docker and those that only Podman has, and the specification of experiments and arms.

Sources of the facts: Docker's documentation on network drivers, and ``docs/modes.md``; podman-run(1), ``--network``.
"""

from dataclasses import dataclass, field
from enum import StrEnum

#: The key of the column that shows the machine: the network stack that host mode shares.
MACHINE = "machine"
#: The key of the column that shows another machine on the LAN of a private host.
NEIGHBOUR = "neighbour"
#: The key of the column that shows another private host on the LAN, and of the column that shows a container there.
OTHER_HOST = "other-host"
OTHER_CONTAINER = "other-container"
#: The columns outside the machine and its containers.
OUTSIDE = frozenset({NEIGHBOUR, OTHER_HOST, OTHER_CONTAINER})
#: The key of the column that shows the bridges of a rootless Podman, which are in a network namespace of its user.
ROOTLESS_NETNS = "rootless-netns"
#: The columns that are shown but not compared.
SHOWN_ONLY = OUTSIDE | {ROOTLESS_NETNS}
#: The columns that are not arms.
OBSERVERS = frozenset({MACHINE, *SHOWN_ONLY})


def plain_key(key: str) -> str:
    """Returns the key of a column without the number of its machine: ``machine`` for ``machine@2``.

    In an experiment on several machines, the keys of columns that are not arms have such a number, except on the first
    machine."""
    return key.partition("@")[0]


def is_observer(key: str) -> bool:
    """Whether this key belongs to a column that is not an arm, such as ``machine``. The key may end with the number of
    a machine (``machine@2``)."""
    return plain_key(key) in OBSERVERS


class Mode(StrEnum):
    """The network modes, with the names that Netmodes uses; the last four are Podman's."""

    HOST = "host"
    BRIDGE = "bridge"
    USER_BRIDGE = "user-bridge"
    NONE = "none"
    CONTAINER = "container"
    MACVLAN = "macvlan"
    IPVLAN = "ipvlan"
    OVERLAY = "overlay"
    PASTA = "pasta"
    SLIRP4NETNS = "slirp4netns"
    PRIVATE = "private"
    NS = "ns"


#: Modes that need a network; Netmodes creates it for the experiment.
NETWORK_DRIVERS = {
    Mode.USER_BRIDGE: "bridge",
    Mode.MACVLAN: "macvlan",
    Mode.IPVLAN: "ipvlan",
    Mode.OVERLAY: "overlay",
}
#: Modes that only Podman has.
PODMAN_MODES = frozenset({Mode.PASTA, Mode.SLIRP4NETNS, Mode.PRIVATE, Mode.NS})
#: Modes in which the engine forwards published ports; in the others it refuses or discards ``-p``.
FORWARDING = frozenset({Mode.BRIDGE, Mode.USER_BRIDGE, Mode.OVERLAY, Mode.PASTA, Mode.SLIRP4NETNS, Mode.PRIVATE})


@dataclass(frozen=True, slots=True)
class Available:
    """The mode works on this engine. ``note`` tells what it requires or what differs; it may be empty."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The mode does not work on this engine. ``reason`` is one sentence."""

    reason: str


Availability = Available | Unavailable


@dataclass(frozen=True, slots=True)
class Publish:
    """A port to publish, as requested with ``-p``. If ``host_port`` is 0, the Engine chooses it."""

    container_port: int
    host_port: int = 0
    protocol: str = "tcp"
    host_address: str = ""


class IPv6(StrEnum):
    """The address families of a network that Netmodes creates: IPv4 (``OFF``), IPv4 and IPv6 (``ON``), or only IPv6
    (``ONLY``)."""

    OFF = ""
    ON = "yes"
    ONLY = "only"


@dataclass(frozen=True, slots=True)
class NetworkAttachment:
    """A network that a container joins in addition to the one of its mode, with the options of its endpoint. If several
    arms of an experiment name the same network, they share it."""

    name: str
    ipv6: IPv6 = IPv6.OFF
    gw_priority: int = 0
    ifname: str = ""


@dataclass(frozen=True, slots=True)
class ArmSpec:
    """One container to launch in one mode.

    In mode ``container``, ``target`` is the key of the arm whose namespace is shared. In mode ``ns``, ``netns`` is the
    path of the namespace that the container joins. ``ipv6`` is used only in mode ``user-bridge``. An empty ``command``
    means the command of the image. ``machine`` is the name of the machine that runs the container, empty for the
    machine of the experiment.
    """

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
    ipv6: IPv6 = IPv6.OFF
    networks: tuple[NetworkAttachment, ...] = ()
    machine: str = ""
    netns: str = ""


@dataclass(frozen=True, slots=True)
class ExperimentSpec:
    """One comparison: an image, a port, and arms. ``names`` are host names that every column looks up, in addition to
    the names of containers and arms, ``localhost`` and ``host.docker.internal``."""

    title: str
    image: str
    port: int
    arms: tuple[ArmSpec, ...]
    names: tuple[str, ...] = ()
