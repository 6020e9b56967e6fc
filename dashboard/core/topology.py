"""The picture of where each container lives, laid out from what was observed.

``draw`` returns plain boxes and edges in user units, so that the template and the browser
draw the same thing. Nothing is drawn that was not read: a veth edge joins two interfaces
whose indexes name each other, a docker-proxy box is a listener of that name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard.core.links import is_cable, lower_link, veth_ends
from dashboard.core.messages import Column
from dashboard.core.picture import Box, Edge, Item, Picture, clip, curve, left_of, place, right_of
from dashboard.core.state import Interface, Listener, NamespaceState

__all__ = ["Box", "Edge", "Picture", "draw", "draw_narrow", "draw_wide"]

#: Left of the boxes of the narrow picture, the nearest first.
LANES = (21.0, 16.5, 12.0, 7.5, 3.0)

MACHINE = "machine"
SHOWN_INTERFACES = 5
SHOWN_LISTENERS = 4
SHOWN_PORTS = 3


@dataclass(frozen=True, slots=True)
class _Stack:
    """One network namespace: its state, and the columns that live in it (first one owns it)."""

    state: NamespaceState
    columns: tuple[Column, ...]

    @property
    def key(self) -> str:
        return self.columns[0].key


def _stacks(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> tuple[_Stack, ...]:
    """Namespaces in the order of the columns; those that share one stand together."""
    found: dict[int, list[Column]] = {}
    for column in columns:
        if column.key in states:
            found.setdefault(states[column.key].netns, []).append(column)
    return tuple(_Stack(states[group[0].key], tuple(group)) for group in found.values())


def _interface_items(stack: _Stack, mode: str, *, bridges: bool | None = None) -> list[Item]:
    """Interfaces, the ones with connections first; ``bridges`` True: only bridges, False: all others."""
    shown = sorted(
        (
            one
            for one in stack.state.interfaces
            if not (mode == MACHINE and is_cable(one)) and bridges in {None, one.kind == "bridge"}
        ),
        key=lambda one: one.kind == "loopback",
    )
    items = []
    for one in shown[:SHOWN_INTERFACES] if len(shown) > SHOWN_INTERFACES + 1 else shown:
        first = next((a for a in one.addresses if a.scope == "global" or one.kind == "loopback"), None)
        first = first or next(iter(one.addresses), None)
        text = f"{first.address}/{first.prefix}" if first else "no address"
        extra = len(one.addresses) - 1
        state = "" if one.up else " · down"
        items.append(
            Item(
                f"{stack.key}:if:{one.index}",
                "interface",
                mode,
                (f"{one.name}{state}", text + (f" +{extra}" if extra > 0 else "")),
            )
        )
    hidden = len(shown) - len(items)
    if hidden:
        what = "bridges" if bridges else "interfaces"
        items.append(
            Item(f"{stack.key}:if:more{'-bridges' if bridges else ''}", "more", mode, (f"{hidden} more {what}",))
        )
    return items


def _listener_items(key: str, mode: str, listeners: Iterable[Listener]) -> list[Item]:
    ports: dict[tuple[str, int], Listener] = {}
    for one in listeners:
        ports.setdefault((one.protocol, one.port), one)
    shown = sorted(ports.values(), key=lambda one: (one.protocol, one.port))
    items = [
        Item(
            f"{key}:listen:{one.protocol}:{one.port}",
            "listener",
            mode,
            (
                f":{one.port} {one.process or 'unknown process'}",
                f"{one.protocol}" + (f", process {one.pid}" if one.pid else ""),
            ),
        )
        for one in shown[:SHOWN_LISTENERS]
    ]
    if len(shown) > SHOWN_LISTENERS:
        items.append(Item(f"{key}:listen:more", "more", mode, (f"{len(shown) - SHOWN_LISTENERS} more listeners",)))
    return items


def _own_listeners(column: Column, state: NamespaceState) -> list[Listener]:
    """What this column's container holds; in a namespace of its own, everything but Docker's resolver."""
    if column.container is None:
        return [one for one in state.listeners if one.container is None and one.process != "docker-proxy"]
    return [one for one in state.listeners if one.container == column.container.id]


def _unique_published(column: Column) -> dict[tuple[int, str, int], list[str]]:
    """Published ports as (container's port, protocol, machine's port), with the addresses each is bound to."""
    seen: dict[tuple[int, str, int], list[str]] = {}
    for one in column.published:
        seen.setdefault((one.container_port, one.protocol, one.host_port), []).append(one.host_address)
    return seen


def _door_id(column: Column, kind: str, port: tuple[int, str, int]) -> str:
    return f"{column.key}:{kind}:{port[1]}:{port[2]}:{port[0]}"


def _doors(column: Column, machine: NamespaceState) -> list[Item]:
    """The ways in for published ports: docker-proxy where one listens, and DNAT, which is IPv4's way past it."""
    items = []
    ports = list(_unique_published(column).items())
    for mapping, addresses in ports[:SHOWN_PORTS]:
        container_port, protocol, host_port = mapping
        port = f":{host_port}" if protocol == "tcp" else f"{protocol} :{host_port}"
        held = [x for x in machine.listeners if x.port == host_port and x.protocol == protocol]
        proxy = any(x.process == "docker-proxy" for x in held)
        everywhere = bool({"", "0.0.0.0"} & set(addresses))  # noqa: S104 - compared, not bound
        bound = "for 127.0.0.1" if everywhere else f"at {addresses[0] if addresses[0] != '::' else 'all IPv6'}"
        if proxy:
            items.append(
                Item(_door_id(column, "proxy", mapping), "proxy", column.mode, (f"docker-proxy {port}", bound))
            )
        outside = [one for one in addresses if ":" not in one and not one.startswith("127.")]
        if outside or not proxy:
            where = f"at {outside[0]}" if outside and not everywhere else bound
            where = ("all other addresses" if proxy else "all addresses") if everywhere else where
            lines = (f"DNAT {port} → :{container_port}", where)
            items.append(Item(_door_id(column, "dnat", mapping), "dnat", column.mode, lines))
    if len(ports) > SHOWN_PORTS:
        items.append(Item(f"{column.key}:ports:more", "more", column.mode, (f"{len(ports) - SHOWN_PORTS} more ports",)))
    return items


def _inner(stack: _Stack, mode: str, x: float, y: float, w: float) -> tuple[list[Box], float]:
    """Interfaces left and listeners right inside a stack of its own."""
    half = (w - 42) / 2
    left, low = place(_interface_items(stack, mode), x + 16, y, half)
    listeners: list[Item] = []
    for column in stack.columns:
        listeners += _listener_items(column.key, column.mode, _own_listeners(column, stack.state))
    right, low_right = place(listeners, x + 26 + half, y, half)
    return left + right, max(low, low_right)


def _stack_title(stack: _Stack) -> str:
    return " + ".join(column.title for column in stack.columns)


def _summary(stacks: Sequence[_Stack], machine: _Stack | None) -> str:
    sentences = []
    for stack in stacks:
        names = " and ".join(column.title for column in stack.columns if column.key != MACHINE)
        if machine is not None and stack is machine:
            if names:
                sentences.append(f"{names}: inside the machine's own network stack.")
            continue
        ends = veth_ends(machine.state, stack.state) if machine is not None else ()
        joined = [f"a veth pair to {outer.master}" for outer, _ in ends if outer.master]
        lower = (
            [(one, lower_link(machine.state, stack.state, one)) for one in stack.state.interfaces] if machine else []
        )
        joined += [f"{one.kind} on {link.name}" for one, link in lower if link is not None]
        tail = f", joined by {' and '.join(joined)}" if joined else ", joined to nothing"
        sentences.append(f"{names}: a network stack of its own{tail}.")
        for column in stack.columns:
            sentences += [
                f"Port {f'{protocol} ' if protocol != 'tcp' else ''}{host_port} of the machine leads to "
                f"port {container_port} of {column.title}."
                for container_port, protocol, host_port in _unique_published(column)
            ]
    return " ".join(sentences) or "Nothing is running yet."


def _host_boxes(machine: _Stack, x: float, y: float, w: float) -> tuple[list[Box], float]:
    """Host-mode containers, inside the machine's box."""
    boxes: list[Box] = []
    for column in machine.columns:
        if column.key == MACHINE:
            continue
        items = _listener_items(column.key, column.mode, _own_listeners(column, machine.state))
        placed, low = place(items, x + 14, y + 56, w - 28)
        boxes.append(
            Box(
                f"{column.key}:stack",
                "host-stack",
                column.mode,
                x,
                y,
                w,
                (low if items else y + 44) + 14 - y,
                (clip("no address of its own", w),),
                clip(column.title, w - 20),
            )
        )
        boxes += placed
        y = boxes[-len(placed) - 1].y + boxes[-len(placed) - 1].h + 14
    return boxes, y - 14 if boxes else y


def _entrance(stack: _Stack, boxes: Mapping[str, Box]) -> Box | None:
    """Where forwarded traffic arrives: the interface of the default route, on an overlay too."""
    outward = {route.interface for route in stack.state.routes if route.destination == "default"}
    ends = [one for one in stack.state.interfaces if one.kind == "veth" and one.addresses]
    holder = next((one for one in ends if one.name in outward), next(iter(ends), None))
    return (boxes.get(f"{stack.key}:if:{holder.index}") if holder else None) or boxes.get(f"{stack.key}:stack")


def _lane(lanes: dict[float, list[tuple[float, float, str]]], y1: float, y2: float, group: str) -> float:
    """Where a connection runs down beside the boxes: the nearest lane that is free at this height, else the
    emptiest. What leads to one place in one manner (``group``) may run together."""
    low, high = min(y1, y2), max(y1, y2)

    def met(x: float) -> int:
        return sum(a <= high and low <= b and other != group for a, b, other in lanes[x])

    lane = min(LANES, key=met)
    lanes[lane].append((low, high, group))
    return lane


def _edges(machine: _Stack, stacks: Sequence[_Stack], boxes: Mapping[str, Box], *, narrow: bool) -> tuple[Edge, ...]:
    edges: list[Edge] = []
    lanes: dict[float, list[tuple[float, float, str]]] = {x: [] for x in LANES}

    def join(kind: str, mode: str, start: Box | None, end: Box | None, label: str = "") -> None:
        if start is None or end is None:
            return
        identity = f"{kind}:{start.id}>{end.id}"
        if narrow:
            (x1, y1), (x2, y2) = left_of(start), left_of(end)
            group = identity if kind == "veth" else f"{'doors' if kind in {'proxy', 'dnat'} else kind}>{end.id}"
            path = f"M{x1:g} {y1:g} H{_lane(lanes, y1, y2, group):g} V{y2:g} H{x2:g}"
            edges.append(Edge(identity, kind, mode, path))
            return
        (x1, y1), (x2, y2) = right_of(start), left_of(end)
        edges.append(Edge(identity, kind, mode, curve(x1, y1, x2, y2), label, x1 + 48 if label else 0, y1 - 6))

    def shown(link: Interface | None) -> Box | None:  # or the box under which it is folded
        if link is None:
            return None
        fold = f"{MACHINE}:if:more-bridges" if link.kind == "bridge" else f"{MACHINE}:if:more"
        return boxes.get(f"{MACHINE}:if:{link.index}") or boxes.get(fold) or boxes.get(f"{MACHINE}:if:more")

    for column in machine.columns:
        if column.key == MACHINE:
            continue
        own = boxes.get(f"{column.key}:stack")
        for one in machine.state.interfaces:
            if one.kind != "bridge" and not is_cable(one):
                join("shares", column.mode, boxes.get(f"{MACHINE}:if:{one.index}"), own)
    for stack in stacks:
        if stack is machine:
            continue
        owner = stack.columns[0]
        for outer, inner in veth_ends(machine.state, stack.state):
            bridge = next((one for one in machine.state.interfaces if one.name == outer.master), None)
            join("veth", owner.mode, shown(bridge), boxes.get(f"{stack.key}:if:{inner.index}"), "veth pair")
        for one in stack.state.interfaces:
            link = lower_link(machine.state, stack.state, one)
            join("parent", owner.mode, shown(link), boxes.get(f"{stack.key}:if:{one.index}"), one.kind)
        for column in stack.columns:
            for mapping in _unique_published(column):
                # Both ways lead through the bridge to the address that the container got from it.
                for kind in ("proxy", "dnat"):
                    join(kind, column.mode, boxes.get(_door_id(column, kind, mapping)), _entrance(stack, boxes))
    return tuple(edges)


def _machine_boxes(
    machine: _Stack,
    stacks: Sequence[_Stack],
    x: float,
    y: float,
    columns_at: tuple[float, float, float],
    w: float,
) -> tuple[list[Box], float]:
    """What stands in the machine's box: interfaces, host-mode containers, doors of published ports."""
    first, second, third = columns_at
    boxes, low = place(_interface_items(machine, MACHINE, bridges=False), first, y + 42, 190)
    hosts, low_hosts = _host_boxes(machine, second, y + 42, 236)
    doors: list[Item] = []
    for stack in stacks:
        if stack is not machine:
            for column in stack.columns:
                doors += _doors(column, machine.state)
    placed, low_doors = place(doors, third, y + 42, 190)
    below, low = place(
        _interface_items(machine, MACHINE, bridges=True), first, max(low, low_hosts, low_doors, y + 42) + 24, 190
    )
    boxes += below
    height = max(low, low_hosts, low_doors, y + 120) + 16 - y
    frame = Box(
        f"{MACHINE}:stack",
        "machine",
        MACHINE,
        x,
        y,
        w,
        height,
        (f"net {machine.state.netns}",),
        "this machine",
    )
    return [frame, *boxes, *hosts, *placed], y + height


def draw_wide(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> Picture:
    """The picture for a wide screen: the machine on the left, other stacks on the right."""
    stacks = _stacks(columns, states)
    machine = next((one for one in stacks if one.key == MACHINE), None)
    if machine is None:
        return Picture(1400, 120, summary=_summary(stacks, None))
    boxes, low = _machine_boxes(machine, stacks, 12, 12, (32, 272, 548), 746)
    others = [one for one in stacks if one is not machine]
    x, y, width, row_low = 880.0, 12.0, 508.0, 12.0
    two = len(others) > 4
    if two:
        width = 340.0
    for number, stack in enumerate(others):
        left = x + (number % 2) * (width + 24) if two else x
        mode = stack.columns[0].mode
        inner, bottom = _inner(stack, mode, left, y + 44, width)
        frame = Box(
            f"{stack.key}:stack",
            "stack",
            mode,
            left,
            y,
            width,
            bottom + 16 - y,
            (f"net {stack.state.netns}",),
            clip(_stack_title(stack), width - 130),
        )
        boxes += [frame, *inner]
        row_low = max(row_low, bottom + 16)
        if not two or number % 2:
            y = row_low + 18
    total = max(low, row_low) + 12
    index = {box.id: box for box in boxes}
    edges = _edges(machine, stacks, index, narrow=False)
    return Picture(1400 if not two else 1600, total, tuple(boxes), edges, _summary(stacks, machine))


def draw_narrow(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> Picture:
    """The picture for a phone: everything under each other, connections along the left edge."""
    stacks = _stacks(columns, states)
    machine = next((one for one in stacks if one.key == MACHINE), None)
    if machine is None:
        return Picture(360, 120, summary=_summary(stacks, None))
    left, width = 26.0, 326.0
    boxes, y = place(_interface_items(machine, MACHINE), left + 14, 54, width - 28, 8)
    hosts, y = _host_boxes(machine, left + 14, y + 12, width - 28)
    doors: list[Item] = []
    for stack in stacks:
        if stack is not machine:
            for column in stack.columns:
                doors += _doors(column, machine.state)
    placed, y = place(doors, left + 14, y + 12, width - 28, 8)
    frame = Box(
        f"{MACHINE}:stack",
        "machine",
        MACHINE,
        left,
        12,
        width,
        y + 14 - 12,
        (f"net {machine.state.netns}",),
        "this machine",
    )
    boxes = [frame, *boxes, *hosts, *placed]
    y += 34
    for stack in stacks:
        if stack is machine:
            continue
        mode = stack.columns[0].mode
        inner, bottom = _inner(stack, mode, left, y + 44, width)
        title = clip(_stack_title(stack), width - 130)
        boxes.append(
            Box(
                f"{stack.key}:stack",
                "stack",
                mode,
                left,
                y,
                width,
                bottom + 14 - y,
                (f"net {stack.state.netns}",),
                title,
            )
        )
        boxes += inner
        y = bottom + 32
    index = {box.id: box for box in boxes}
    edges = _edges(machine, stacks, index, narrow=True)
    return Picture(360, y, tuple(boxes), edges, _summary(stacks, machine))


def draw(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> tuple[Picture, Picture]:
    """The wide and the narrow picture of the same state."""
    wide = draw_wide(columns, states)
    return wide, replace(draw_narrow(columns, states), summary=wide.summary)
