"""One plain sentence for each difference: why it is so.

A sentence is given only where the columns themselves prove it; sources are Docker's documentation
of the network drivers and Moby's libnetwork.
"""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.core.cells import MACHINE, Cell, RowKey, Scene
from dashboard.core.messages import ArmStatus, Column
from dashboard.core.modes import Mode
from dashboard.core.state import Origin


def _modes(scene: Scene) -> set[str]:
    return {column.mode for column in scene.columns if column.key != MACHINE and column.key in scene.states}


def _columns_with(cells: Mapping[str, Cell], scene: Scene) -> list[Column]:
    return [column for column in scene.columns if cells[column.key].text is not None]


def absent_word(scene: Scene, column: Column, key: RowKey) -> str:
    """The word for nothing in a column that is observed and has no such thing."""
    if key.section == "listeners" and key.key.startswith("tcp :"):
        port = int(key.key.removeprefix("tcp :"))
        inside = next((p.container_port for p in column.published if p.host_port == port), None)
        if inside is not None:
            return f"the machine's :{port} leads to :{inside} here"
    words = {
        "listeners": "nobody listens",
        "interfaces": "no such interface",
        "routes": "no such route",
        "hosts": "not listed",
        "sysctls": "not readable",
        "dns": "not looked up",
        "identity": "unknown",
    }
    return words.get(key.section, "none")


def _identity(scene: Scene, key: RowKey, cells: Mapping[str, Cell]) -> str:
    hosts = any(scene.shares_machine(column.key) for column in scene.columns if column.key != MACHINE)
    if key.key == "netns":
        if hosts:
            return "The same number is the same network stack: host mode has no stack of its own."
        return "Every container here has a network stack of its own; none shares the machine's."
    if key.key == "address":
        if hosts:
            return "Host mode has no address of its own: it uses the machine's. Others get one from their network."
        return "Each network hands out addresses from its own subnet."
    if key.key == "hostname":
        return (
            "The host name lives in the UTS namespace, which is not shared: in host mode Docker copies the machine's "
            "name, otherwise it is the container's id."
        )
    if key.key.startswith("namespace "):
        return "Only the network is shared in host mode: this namespace is the container's own all the same."
    return ""


def _published(scene: Scene, key: RowKey, cells: Mapping[str, Cell]) -> str:
    if key.field == "asked":
        return "The arms were asked for different ports."
    discarded = [
        column
        for column in scene.columns
        if column.mode == Mode.HOST and column.asked and not column.published and column.status is ArmStatus.RUNNING
    ]
    if discarded:
        return (
            "The Engine discards -p in host mode: the program listens on the machine itself, nothing is forwarded. "
            "The asked mapping stays in HostConfig all the same."
        )
    if {Mode.MACVLAN, Mode.IPVLAN, Mode.NONE} & _modes(scene):
        return "Only bridge networks forward ports of the machine to a container."
    return "The Engine publishes a port only where it was asked to, and only for containers that run."


def _listeners(scene: Scene, key: RowKey, cells: Mapping[str, Cell]) -> str:
    if key.key.endswith(" resolver"):
        return "Only a user-defined network has Docker's own resolver inside the container's namespace."
    texts = [cell.text or "" for cell in cells.values()]
    holders = _columns_with(cells, scene)
    if any("docker-proxy" in text for text in texts):
        return (
            "docker-proxy holds the published port on the machine, and whoever shares the machine's stack sees it; "
            "the program itself listens only inside its container."
        )
    in_machine = [c for c in holders if c.key != MACHINE and scene.shares_machine(c.key)]
    apart = [c for c in holders if c.key != MACHINE and not scene.shares_machine(c.key)]
    if in_machine and apart:
        return (
            "In host mode the program takes the machine's own port; with a stack of its own it takes that number "
            "only inside the container."
        )
    if in_machine:
        return "Host mode shares the machine's ports: a socket of either one is there for both."
    if apart:
        return "The socket belongs to the container's own stack; the machine's port of that number is free."
    return "Only the machine has it: a stack of its own shares no sockets."


def _one_stack(scene: Scene, cells: Mapping[str, Cell]) -> bool:
    """Whether all columns that have something live in one network namespace."""
    return len({scene.states[column.key].netns for column in _columns_with(cells, scene)}) <= 1


def _interfaces(scene: Scene, key: RowKey, cells: Mapping[str, Cell]) -> str:
    if not _one_stack(scene, cells):
        fields = {
            "link": "Same name, different interface: a container's eth0 is one end of a veth pair or a sub-interface.",
            "addresses": "Same name, different interface: each network stack addresses its own.",
            "mtu": "The MTU belongs to the interface: a container gets that of its Docker network.",
            "joined": "Each veth pair is a cable of its own.",
        }
        return fields.get(key.field, "Each network stack has interfaces of its own.")
    if key.field != "link":
        return f"Only a stack that has {key.key} has this: host mode sees the machine's interfaces, others their own."
    if key.key.startswith("veth to "):
        arm = key.key.removeprefix("veth to ")
        return f"The machine's end of the cable to {arm}: host mode sees it, other containers do not."
    if key.key == "docker0":
        return "The default bridge lives on the machine; host mode sees it because it sees all of the machine's links."
    if key.key.startswith("br-"):
        return "The Linux bridge of a user-defined network: it lives on the machine."
    if Mode.NONE in _modes(scene) and len(_modes(scene)) == 1:
        return "Mode none has the loopback interface and nothing else."
    return "An interface belongs to exactly one network stack; host mode uses the machine's."


def _routes(scene: Scene, key: RowKey, cells: Mapping[str, Cell]) -> str:
    if key.key == "default":
        return "The machine leaves through its own gateway; a bridged container leaves through the bridge's address."
    return "Each network stack has its own routing table."


def _dns(scene: Scene, key: RowKey, cells: Mapping[str, Cell]) -> str:
    origins = {state.resolver.origin for state in scene.states.values() if state.resolver is not None}
    if key.key == "resolver":
        if Origin.DOCKER in origins:
            return "Only a user-defined network has Docker's own resolver; all others get the machine's servers."
        if Origin.STRIPPED in origins or Origin.FALLBACK in origins:
            return "Host mode copies the machine's file as it is; for a bridge its loopback servers are removed."
        if Origin.GIVEN in origins:
            return "--dns replaces the machine's servers, in host mode too."
        return "Each container has a resolv.conf of its own, written when it starts."
    if "localhost" in key.key:
        return "localhost is answered by each column's own hosts file."
    if "host.docker.internal" in key.key:
        return "The name exists only where --add-host host.docker.internal:host-gateway asked for it."
    if Origin.DOCKER in origins and any(cell.note.startswith("by 127.0.0.11") for cell in cells.values() if cell.text):
        return "Container names resolve only on user-defined networks, through Docker's resolver at 127.0.0.11."
    return "Each column asks its own hosts file and its own servers."


def _hosts(scene: Scene, key: RowKey, cells: Mapping[str, Cell]) -> str:
    if key.key == "own host name":
        return "Docker writes a container's own name and address into its hosts file; host mode has the machine's file."
    return "Host mode starts from a copy of the machine's hosts file (--add-host discards it); others start fresh."


def _sysctls(scene: Scene, key: RowKey, cells: Mapping[str, Cell]) -> str:
    if key.key.endswith("ip_unprivileged_port_start"):
        return "Docker lets every user bind low ports in a namespace of its own; in host mode the machine's rule stays."
    if key.key.endswith("ping_group_range"):
        return "Docker lets every group ping in a namespace of its own; in host mode the machine's rule stays."
    if "forward" in key.key:
        return "Docker turns on forwarding on the machine to route for its bridges; a container does not need it."
    return "A network sysctl belongs to the namespace: a new one starts with defaults, host mode has the machine's."


_EXPLAIN = {
    "identity": _identity,
    "published": _published,
    "listeners": _listeners,
    "interfaces": _interfaces,
    "routes": _routes,
    "dns": _dns,
    "hosts": _hosts,
    "sysctls": _sysctls,
}


def explain(scene: Scene, key: RowKey, cells: Mapping[str, Cell]) -> str:
    """Why the columns differ in this row; empty where nothing can be said for sure."""
    return _EXPLAIN[key.section](scene, key, cells)
