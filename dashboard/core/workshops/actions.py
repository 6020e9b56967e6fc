"""The commands that buttons of a workshop perform, and the labels of their buttons."""

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
    """``docker network create NAME``: a bridge or, with ``-d overlay``, a network that spans all hosts of a swarm."""

    name: str
    options: dict[str, str] = field(default_factory=dict)
    driver: str = "bridge"


@dataclass(frozen=True, slots=True)
class RemoveNetwork:
    """The command ``docker network rm NAME``."""

    name: str


@dataclass(frozen=True, slots=True)
class Pull:
    """``docker pull IMAGE``; if no registry answers, the lab image is built."""

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
    """``curl [-i] URL`` on the machine or, with ``outside``, on another machine on the LAN of a private host."""

    address: str
    port: int
    path: str = "/"
    outside: bool = False


@dataclass(frozen=True, slots=True)
class ChangeFirewall:
    """A command of iptables(8) or ufw(8) that changes one rule of a private host, or switches ufw on or off."""

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangeSwarm:
    """``docker swarm init [--advertise-addr ADDRESS]`` or ``docker swarm leave --force`` on a private host. ``address``
    is empty if the Engine chooses it."""

    address: str = ""
    leave: bool = False


@dataclass(frozen=True, slots=True)
class Inspect:
    """A command that only reads, in the machine's namespace or a container's. ``grep`` filters its lines."""

    argv: tuple[str, ...]
    container: str = ""
    grep: str = ""


@dataclass(frozen=True, slots=True)
class OnOtherHost:
    """A command on the other private host of a LAN."""

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
