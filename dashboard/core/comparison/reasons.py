"""One plain sentence for each difference: why it is so.

A sentence is given only where the columns themselves prove it, and speaks only of modes that are there;
sources are Docker's documentation of the network drivers and Moby's libnetwork. A section's sentences
follow from the columns and from what that section shows, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from dashboard.core.comparison.cells import Cell, RowKey, Scene
from dashboard.core.experiments.messages import Column
from dashboard.core.modes import MACHINE, Mode
from dashboard.core.namespaces.state import Listener, Origin

NO_INTERFACE = "no such interface"
MACHINES = "; host mode uses the machine's"
SUB_INTERFACES = (Mode.MACVLAN, Mode.IPVLAN)
BRIDGED = (Mode.BRIDGE, Mode.USER_BRIDGE, Mode.OVERLAY)

_Cells = Mapping[str, Cell]


def _arms(scene: Scene, *modes: str) -> list[Column]:
    """The arms that are observed, all or those in one of these modes."""
    arms = [column for column in scene.columns if column.key != MACHINE and column.key in scene.states]
    return [column for column in arms if not modes or column.mode in modes]


def _with(scene: Scene, cells: _Cells) -> list[Column]:
    """The columns that have something in this row."""
    return [column for column in scene.columns if cells[column.key].text is not None]


def _names(columns: Iterable[Column]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    titles = list(dict.fromkeys(column.title for column in columns))
    return " and ".join([*([", ".join(titles[:-1])] if titles[1:] else []), *titles[-1:]])


def _verb(columns: Sequence[Column], one: str, many: str) -> str:
    return one if len(columns) == 1 else many


def _if_host(scene: Scene, text: str) -> str:
    """The text where a container in host mode is observed, else nothing."""
    return text if _arms(scene, Mode.HOST) else ""


def _clauses(*parts: str) -> str:
    """The parts that say something, joined by semicolons; what comes first may be a name in lower case."""
    text = "; ".join(part for part in parts if part)
    return f"{text}." if text else ""


def _sentence(*parts: str) -> str:
    """The same, beginning with a capital letter."""
    text = _clauses(*parts)
    return f"{text[:1].upper()}{text[1:]}"


def absent_word(scene: Scene, column: Column, key: RowKey) -> str:
    """The word for nothing in a column that is observed and has no such thing."""
    protocol, colon, port = key.key.partition(" :")
    if key.section == "listeners" and colon:
        asked = (protocol, int(port))
        inside = next((p.container_port for p in column.published if (p.protocol, p.host_port) == asked), None)
        if inside is not None:
            return f"the machine's :{port} leads to :{inside} here"
    if key.section == "interfaces" and any(one.name == key.key for one in scene.states[column.key].interfaces):
        return {"joined": "joined to nothing", "mac": "no MAC address"}.get(key.field, "none")
    words = {
        "listeners": "nobody listens",
        "interfaces": NO_INTERFACE,
        "routes": "no such route",
        "hosts": "not listed",
        "sysctls": "not readable",
        "dns": "not looked up",
        "identity": "unknown",
    }
    return words.get(key.section, "none")


def _identity(scene: Scene, key: RowKey, cells: _Cells) -> str:
    if key.key == "netns":
        return _netns(scene)
    if key.key == "address":
        sharing = [one for one in _arms(scene, Mode.CONTAINER) if not scene.shares_machine(one.key)]
        return (
            _sentence(
                _if_host(scene, "host mode has no address of its own, it uses the machine's"),
                "each network hands out addresses from its own subnet"
                if any(c.networks.values() for c in _arms(scene))
                else "",
                "mode none has no address besides loopback" if _arms(scene, Mode.NONE) else "",
                f"{_names(sharing)} {_verb(sharing, 'uses', 'use')} that of the stack it joined" if sharing else "",
            )
            or "Each network stack has addresses of its own."
        )
    if key.key == "hostname":
        return _hostname(scene)
    if all(cells[one.key].text == "its own" for one in _arms(scene) if cells[one.key].text is not None):
        return (
            _if_host(
                scene, "Only the network is shared in host mode: this namespace is the container's own all the same."
            )
            or "The network mode does not touch this namespace: each container has its own."
        )
    return "Some containers share this namespace with the machine, others have their own."


def _netns(scene: Scene) -> str:
    shared = []
    for column in _arms(scene, Mode.CONTAINER):
        state = scene.states[column.key]
        owners = [o for o in _arms(scene) if o.mode != Mode.CONTAINER and scene.states[o.key].netns == state.netns]
        if owners:
            shared.append(f"{column.title} lives in that of {owners[0].title}")
    said = "; ".join(part for part in (_if_host(scene, "host mode has no stack of its own"), *shared) if part)
    if said:
        return f"The same number is the same network stack: {said}."
    if scene.machine is None or any(scene.shares_machine(one.key) for one in _arms(scene)):
        return "The same number is the same network stack, another number another one."
    return "Every container here has a network stack of its own; none shares the machine's."


def _hostname(scene: Scene) -> str:
    own = [c for c in _arms(scene) if c.container and _is_id(scene, c, c.container.id)]
    ids = [c.container.id for c in _arms(scene) if c.container]
    joined = [c for c in _arms(scene, Mode.CONTAINER) if c not in own and any(_is_id(scene, c, one) for one in ids)]
    copied = [
        c for c in _arms(scene, Mode.HOST) if scene.machine and scene.states[c.key].hostname == scene.machine.hostname
    ]
    given = [c for c in _arms(scene) if c not in (*own, *joined, *copied)]
    parts = (
        "in host mode Docker copies the machine's name" if copied else "",
        "Docker names a container by its id" if own else "",
        f"{_names(joined)} {_verb(joined, 'takes', 'take')} that of the container joined" if joined else "",
        f"{_names(given)} {_verb(given, 'was', 'were')} given another name" if given and (own or copied) else "",
    )
    said = "; ".join(part for part in parts if part)
    return f"The host name lives in the UTS namespace, which is not shared{f': {said}' if said else ''}."


def _is_id(scene: Scene, column: Column, container: str) -> bool:
    name = scene.states[column.key].hostname
    return bool(name) and container.startswith(name)


def _published(scene: Scene, key: RowKey, cells: _Cells) -> str:
    texts = {cell.text for cell in cells.values() if cell.text is not None}
    if key.field == "asked":
        if len(texts) > 1:
            return "The arms were asked for different ports: a port of the machine leads to one container only."
        silent = [c for c in scene.columns if c.mode == Mode.CONTAINER and cells[c.key].text is None]
        if silent:
            return "An arm that joins a stack takes no -p: ports belong to the arm that owns the stack."
        return "Not every arm was asked to publish this port."
    discarding = [c for c in scene.columns if cells[c.key].text is None and cells[c.key].absent == "discarded"]
    if any(column.mode == Mode.HOST for column in discarding):
        return (
            "The Engine discards -p in host mode: the program listens on the machine itself, nothing is forwarded. "
            "The asked mapping stays in HostConfig all the same."
        )
    if discarding:
        bridges = all(column.mode not in BRIDGED for column in discarding)
        return f"Nothing is forwarded to {_names(discarding)}{': only bridges forward ports' if bridges else ''}."
    if len(texts) > 1:
        return "Each mapping takes a port of the machine for itself."
    return "The Engine publishes a port only where it was asked to, and only for containers that run."


def _on_port(listeners: Iterable[Listener], key: RowKey) -> list[Listener]:
    return [one for one in listeners if key.key == f"{one.protocol} :{one.port}"]


def _listeners(scene: Scene, key: RowKey, cells: _Cells) -> str:
    if key.key.endswith(" resolver"):
        return "Only a user-defined network has Docker's own resolver inside the container's namespace."
    there = _on_port(scene.machine.listeners, key) if scene.machine is not None else []
    if any(one.process == "docker-proxy" for one in there):
        return _clauses(
            f"docker-proxy holds the published port on the machine{_if_host(scene, ', and host mode sees it there')}",
            "the program itself listens only inside its container",
        )
    published = {(p.protocol, p.host_port) for column in scene.columns for p in column.published}
    if any(one.process == "dockerd" and (one.protocol, one.port) in published for one in there):
        return "The Engine itself holds the published port: it runs without docker-proxy."
    apart = [c for c in _with(scene, cells) if c.key != MACHINE and not scene.shares_machine(c.key)]
    arms = [c for c in _arms(scene, Mode.HOST) if c.container and any(x.container == c.container.id for x in there)]
    if arms and apart:
        return (
            "In host mode the program takes the machine's own port; with a stack of its own it takes that number "
            "only inside the container."
        )
    if arms:
        return "In host mode the program listens on the machine itself: the socket is there for both."
    if there and apart:
        return "The machine and the container each have a socket of that number: separate stacks do not collide."
    inside = [c for c in _with(scene, cells) if c.key != MACHINE and scene.shares_machine(c.key)]
    if inside and not _arms(scene, Mode.HOST):
        return f"What the machine opened is there for {_names(inside)} too: the stack is the machine's."
    if there and inside:
        return "Host mode shares the machine's ports: what the machine opened is there too."
    if there:
        return "Only the machine has it: a stack of its own shares no sockets."
    return _sentence(
        "the socket belongs to the container's own stack",
        "the machine's port of that number is free" if scene.machine is not None else "",
    )


def _owners(scene: Scene, cells: _Cells) -> list[Column]:
    """The columns that have the interface of this row, with or without what the row asks for."""
    return [c for c in scene.columns if c.key in scene.states and cells[c.key].absent != NO_INTERFACE]


def _interfaces(scene: Scene, key: RowKey, cells: _Cells) -> str:
    owners = _owners(scene, cells)
    if len({scene.states[column.key].netns for column in owners}) > 1:
        return {
            "link": "Same name, different interface: every network stack has its own.",
            "addresses": "Same name, different interface: each network stack addresses its own.",
            "mtu": "The MTU belongs to the interface: a container gets that of its Docker network.",
            "mac": "Each interface has a MAC address of its own.",
            "joined": _joints(cells),
        }.get(key.field, "Each network stack has interfaces of its own.")
    if not any(column.key == MACHINE or scene.shares_machine(column.key) for column in owners):
        return f"Only {_names(owners)} {_verb(owners, 'has', 'have')} it: an interface belongs to one network stack."
    seen = _if_host(scene, "; host mode sees all of the machine's interfaces")
    if key.key.startswith("veth to "):
        what = f"The machine's end of the cable to {key.key.removeprefix('veth to ')}"
    elif key.key == "docker0":
        what = "The default bridge lives on the machine"
    elif key.key.startswith("br-"):
        what = "The Linux bridge of a user-defined network lives on the machine"
    else:
        what = f"{key.key} is the machine's: an interface belongs to one network stack"
    return f"{what}{seen}."


def _joints(cells: _Cells) -> str:
    texts = [cell.text or "" for cell in cells.values()]
    return (
        _sentence(
            "each veth pair is a cable of its own" if any("veth peer" in text for text in texts) else "",
            "a sub-interface sits on a link of the machine" if any(text.startswith("on ") for text in texts) else "",
        )
        or "Each interface is joined to something else."
    )


def _routes(scene: Scene, key: RowKey, cells: _Cells) -> str:
    if key.key == "default":
        holders = _with(scene, cells)
        bridged = any(column.mode in BRIDGED for column in holders)
        beside = [column for column in holders if column.mode in SUB_INTERFACES]
        said = _sentence(
            "the machine leaves through its own gateway" if any(c.key == MACHINE for c in holders) else "",
            "a bridged container through the bridge's address" if bridged else "",
            f"{_names(beside)} through the gateway of the parent's network" if beside else "",
            "mode none has no way out"
            if _arms(scene, Mode.NONE) and Mode.NONE not in {c.mode for c in holders}
            else "",
        )
        if said:
            return said
    return f"Each network stack has its own routing table{_if_host(scene, MACHINES)}."


_ORIGINS: tuple[tuple[Origin, str, str, str], ...] = (
    (Origin.DOCKER, "has", "have", "Docker's own resolver, as on every user-defined network"),
    (Origin.COPY, "has", "have", "a copy of the machine's file as it is"),
    (Origin.STRIPPED, "gets", "get", "the machine's servers without loopback ones"),
    (Origin.FALLBACK, "gets", "get", "public servers, since the machine's are loopback ones"),
    (Origin.GIVEN, "has", "have", "what --dns gave"),
    (Origin.OTHER, "has", "have", "a file that something else wrote"),
)


def _dns(scene: Scene, key: RowKey, cells: _Cells) -> str:
    if key.key == "resolver":
        return _resolver(scene)
    answered = [cell for cell in cells.values() if cell.text is not None]
    if not answered:
        return "No column gets an address: each asks its own servers, and they say different things."
    if key.key.endswith(" localhost"):
        return "localhost is answered by each column's own hosts file."
    if key.key.endswith(" host.docker.internal") and any(cell.note.startswith("by hosts file") for cell in answered):
        return "The name stands in the hosts file where --add-host host.docker.internal:host-gateway asked for it."
    ours = {name for c in scene.columns if c.container for name in (c.key, c.container.name, c.container.id[:12])}
    if key.key.removeprefix("lookup ") in ours and any(cell.note.startswith("by 127.0.0.11") for cell in answered):
        return "Container names resolve only on user-defined networks, through Docker's resolver at 127.0.0.11."
    return "Each column asks its own hosts file and its own servers."


def _resolver(scene: Scene) -> str:
    parts = []
    for origin, one, many, what in _ORIGINS:
        columns = [c for c in _arms(scene) if (found := scene.states[c.key].resolver) and found.origin is origin]
        if columns:
            parts.append(f"{_names(columns)} {_verb(columns, one, many)} {what}")
    return _clauses(*parts) or "Each container has a resolv.conf of its own, written when it starts."


def _hosts(scene: Scene, key: RowKey, cells: _Cells) -> str:
    if key.key == "own host name":
        return _sentence(
            "Docker writes a container's own name and address into its hosts file",
            _if_host(scene, "host mode has the machine's file"),
        )
    added = [c for c in _with(scene, cells) if f" --add-host {key.key}:" in c.command]
    if added:
        return f"--add-host put the name into the hosts file of {_names(added)}."
    return (
        _if_host(
            scene,
            "Host mode starts from a copy of the machine's hosts file (--add-host discards it); others start fresh.",
        )
        or "Each container has a hosts file of its own, written when it starts."
    )


def _sysctls(scene: Scene, key: RowKey, cells: _Cells) -> str:
    given = [c for c in _with(scene, cells) if f" --sysctl {key.key}=" in c.command]
    if given:
        return f"--sysctl set it for {_names(given)}."
    apart = [cells[c.key].text for c in _arms(scene) if not scene.shares_machine(c.key)]
    stays = _if_host(scene, "; in host mode the machine's rule stays")
    if key.key.endswith("ip_unprivileged_port_start") and "0" in apart:
        return f"Docker lets every user bind low ports in a namespace of its own{stays}."
    if key.key.endswith("ping_group_range") and "0 2147483647" in apart:
        return f"Docker lets every group ping in a namespace of its own{stays}."
    machine = cells[MACHINE].text if MACHINE in cells else None
    if "forward" in key.key and machine == "1" and "1" not in apart:
        return "Docker turns on forwarding on the machine to route for its bridges; a container does not need it."
    return f"A network sysctl belongs to the namespace, and a new one starts with defaults{_if_host(scene, MACHINES)}."


_EXPLAIN: dict[str, Callable[[Scene, RowKey, _Cells], str]] = {
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
