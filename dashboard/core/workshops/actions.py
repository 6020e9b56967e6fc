"""The actions of a workshop's commands, and the labels of the buttons that perform them."""

from dataclasses import dataclass, field

from dashboard.core.workshops.launches import Launch, TypedLine


@dataclass(frozen=True, slots=True)
class Stop:
    """The command ``docker stop NAME…``."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """The command ``docker rm [-f] NAME…``."""

    names: tuple[str, ...]
    force: bool = False


@dataclass(frozen=True, slots=True)
class CreateNetwork:
    """The command ``docker network create NAME``. The network is a bridge, or with ``-d overlay`` one that spans all
    hosts of a swarm."""

    name: str
    options: dict[str, str] = field(default_factory=dict)
    driver: str = "bridge"


@dataclass(frozen=True, slots=True)
class RemoveNetwork:
    """The command ``docker network rm NAME``."""

    name: str


@dataclass(frozen=True, slots=True)
class Pull:
    """The command ``docker pull IMAGE``. If no registry answers, the lab image is built instead."""

    image: str


@dataclass(frozen=True, slots=True)
class ListContainers:
    """The command ``docker ps [-a]``."""

    show_all: bool = False


@dataclass(frozen=True, slots=True)
class ShowLogs:
    """The command ``docker logs NAME``."""

    name: str


@dataclass(frozen=True, slots=True)
class ShowPorts:
    """The command ``docker port NAME``."""

    name: str


@dataclass(frozen=True, slots=True)
class Curl:
    """The command ``curl [-i] URL``. It runs on the machine, or if ``outside`` is true, on another machine on the LAN
    of a private host."""

    address: str
    port: int
    path: str = "/"
    outside: bool = False


@dataclass(frozen=True, slots=True)
class ChangeFirewall:
    """A command of iptables(8) or ufw(8) on a private host: it changes one rule, switches ufw on or off, or shows its
    status."""

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangeSwarm:
    """The command ``docker swarm init [--advertise-addr ADDRESS]``, or ``docker swarm leave --force`` if ``leave`` is
    true, on a private host. If ``address`` is empty, the Engine chooses it."""

    address: str = ""
    leave: bool = False


@dataclass(frozen=True, slots=True)
class Inspect:
    """A command that only reads. It runs in the namespace of the machine, or of ``container`` if one is given. ``grep``
    filters the lines of its output."""

    argv: tuple[str, ...]
    container: str = ""
    grep: str = ""


@dataclass(frozen=True, slots=True)
class OnOtherHost:
    """An action on the other private host of a LAN."""

    action: "Action"


Action = (
    OnOtherHost
    | Launch
    | TypedLine
    | Stop
    | Remove
    | CreateNetwork
    | RemoveNetwork
    | Pull
    | ListContainers
    | ShowLogs
    | ShowPorts
    | Curl
    | ChangeFirewall
    | ChangeSwarm
    | Inspect
)

LABELS: dict[type, str] = {
    Launch: "Launch",
    Stop: "Stop",
    Remove: "Remove",
    CreateNetwork: "Create network",
    RemoveNetwork: "Remove network",
    Pull: "Pull image",
    Curl: "Send request",
    ChangeFirewall: "Change firewall",
    ChangeSwarm: "Change swarm",
    Inspect: "Show",
    ListContainers: "Show",
    ShowLogs: "Show",
    ShowPorts: "Show",
}
