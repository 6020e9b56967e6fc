"""Lays out the diagram of network stacks and containers, from observed states.

``draw`` returns plain boxes and edges, so that the template and the browser draw the same diagram. It shows only what
was observed. For example, a veth edge joins two interfaces that have each other's index as peer, and docker-proxy has a
box only if it listens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dashboard.core.diagram.drawn_namespaces import (
    DrawnNamespace,
    describe_namespaces,
    group_by_namespace,
    interface_items,
    listener_items,
    mapping_box_id,
    mapping_items,
    namespace_title,
    own_listeners,
    published_mappings,
)
from dashboard.core.diagram.edge_routing import NEAR, EdgeRouter
from dashboard.core.diagram.machine_pictures import stack_pictures, titled
from dashboard.core.experiments.machines.groups import group_by_machine
from dashboard.core.experiments.messages import Column
from dashboard.core.experiments.picture import Box, Edge, Item, Picture, clip, place
from dashboard.core.modes import MACHINE, NEIGHBOUR, OTHER_CONTAINER, OTHER_HOST, ROOTLESS_NETNS
from dashboard.core.namespaces.forwarders import is_rootless_forwarder
from dashboard.core.namespaces.links import exit_link, is_cable, lower_link, veth_ends
from dashboard.core.namespaces.state import Interface, NamespaceState
from dashboard.core.namespaces.visibility import name_machine


def _inner(stack: DrawnNamespace, mode: str, x: float, y: float, w: float) -> tuple[list[Box], float]:
    """Places the boxes in a stack: interfaces on the left, listeners on the right. Returns the boxes, and the bottom
    edge of the lowest one."""
    half = (w - 42) / 2
    left, low = place(interface_items(stack, mode), x + 16, y, half)
    listeners: list[Item] = []
    alone = len(stack.columns) == 1
    for column in stack.columns:
        listeners += listener_items(column.key, column.mode, own_listeners(column, stack.state, alone=alone))
    right, low_right = place(listeners, x + 26 + half, y, half)
    return left + right, max(low, low_right)


def _host_boxes(machine: DrawnNamespace, x: float, y: float, w: float) -> tuple[list[Box], float]:
    boxes: list[Box] = []
    for column in machine.columns:
        if column.key == MACHINE:
            continue
        items = listener_items(column.key, column.mode, own_listeners(column, machine.state))
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
                (clip(name_machine("shares the machine's address", machine.columns[0].title), w),),
                clip(column.title, w - 20),
            )
        )
        boxes += placed
        y = boxes[-len(placed) - 1].y + boxes[-len(placed) - 1].h + 14
    return boxes, y - 14 if boxes else y


def _entrance(stack: DrawnNamespace, boxes: Mapping[str, Box]) -> Box | None:
    """Returns the box at which edges of forwarded traffic end. This is the box of the veth interface with the default
    route; in overlay mode, that is the interface on docker_gwbridge. Without such an interface, it is the box of the
    first veth interface with an address. If this has no box either, it is the box of the stack."""
    outward = {route.interface for route in stack.state.routes if route.destination == "default"}
    ends = [interface for interface in stack.state.interfaces if interface.kind == "veth" and interface.addresses]
    holder = next((end for end in ends if end.name in outward), next(iter(ends), None))
    return (boxes.get(f"{stack.key}:if:{holder.index}") if holder else None) or boxes.get(f"{stack.key}:stack")


def _edges(
    machine: DrawnNamespace, stacks: Sequence[DrawnNamespace], boxes: Mapping[str, Box], channel: float | None = None
) -> tuple[Edge, ...]:
    """Routes all edges of a diagram. ``channel`` is as in ``EdgeRouter``."""
    router = EdgeRouter(boxes, channel)

    def shown(link: Interface | None) -> Box | None:  # or the box that stands for hidden ones
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
                router.connect("shares", column.mode, boxes.get(f"{MACHINE}:if:{one.index}"), own)
    for stack in stacks:
        if stack is machine:
            continue
        owner = stack.columns[0]
        if stack.key in {NEIGHBOUR, OTHER_HOST}:
            near, far = (exit_link(one.state) for one in (machine, stack))
            end = boxes.get(f"{stack.key}:if:{far.index}") if far is not None else None
            router.connect("lan", owner.mode, shown(near), end, "LAN")
        _connect_outside(router, stack, stacks, boxes)
        for outer, inner in veth_ends(machine.state, stack.state):
            bridge = next((interface for interface in machine.state.interfaces if interface.name == outer.master), None)
            router.connect("veth", owner.mode, shown(bridge), boxes.get(f"{stack.key}:if:{inner.index}"), "veth pair")
        for one in stack.state.interfaces:
            link = lower_link(machine.state, stack.state, one)
            router.connect("parent", owner.mode, shown(link), boxes.get(f"{stack.key}:if:{one.index}"), one.kind)
        for column in stack.columns:
            for mapping in published_mappings(column):
                for kind in ("proxy", "dnat"):
                    box = boxes.get(mapping_box_id(column, kind, mapping))
                    # docker-proxy and DNAT lead over the bridge to the container's address; a rootless Podman's
                    # forwarder connects inside the container's namespace.
                    inside = box is not None and is_rootless_forwarder(box.lines[0].partition(" ")[0])
                    end = boxes.get(f"{stack.key}:stack") if inside else _entrance(stack, boxes)
                    router.connect(kind, column.mode, box, end)
    return tuple(router.edges)


def _connect_outside(
    router: EdgeRouter, stack: DrawnNamespace, stacks: Sequence[DrawnNamespace], boxes: Mapping[str, Box]
) -> None:
    """Adds the veth pairs between a container and bridges outside the machine's namespace: those of the other host
    (``OTHER_HOST``), or those in the namespace of a rootless Podman."""
    key = OTHER_HOST if stack.key == OTHER_CONTAINER else ROOTLESS_NETNS
    host = next((one for one in stacks if one.key == key), None)
    if host is None or host is stack:
        return
    for outer, inner in veth_ends(host.state, stack.state):
        bridge = next((interface for interface in host.state.interfaces if interface.name == outer.master), None)
        start = boxes.get(f"{key}:if:{bridge.index}") if bridge is not None else None
        end = boxes.get(f"{stack.key}:if:{inner.index}")
        frame = boxes.get(f"{key}:stack")
        router.connect_outside("veth", stack.columns[0].mode, start or frame, end, "veth pair")


def _mapping_items(machine: DrawnNamespace, stacks: Sequence[DrawnNamespace]) -> list[Item]:
    columns = ((column, stack.state) for stack in stacks if stack is not machine for column in stack.columns)
    return [item for column, state in columns for item in mapping_items(column, state, machine.state)]


def _frame(stack: DrawnNamespace, kind: str, x: float, y: float, width: float, bottom: float) -> Box:
    if kind == "machine":
        mode, title = MACHINE, stack.columns[0].title
    else:
        mode, title = stack.columns[0].mode, clip(namespace_title(stack), width - 130)
    return Box(f"{stack.key}:stack", kind, mode, x, y, width, bottom - y, (f"net {stack.state.netns}",), title)


def _machine_boxes(
    machine: DrawnNamespace,
    stacks: Sequence[DrawnNamespace],
    x: float,
    y: float,
    columns_at: tuple[float, float, float],
    w: float,
) -> tuple[list[Box], float, float]:
    """Places the machine's box, and in it its interfaces, host-mode containers and published ports. ``columns_at`` has
    the left edges of these three. ``w`` is the width of the machine's box. Returns the boxes, the bottom edge of the
    machine's box, and the y coordinate of a free strip above its bridges."""
    first, second, third = columns_at
    boxes, low = place(interface_items(machine, MACHINE, bridges=False), first, y + 42, 190)
    hosts, low_hosts = _host_boxes(machine, second, y + 42, 236)
    mappings = _mapping_items(machine, stacks)
    placed, low_mappings = place(mappings, third, y + 42, 190)
    floor = max(low, low_hosts, low_mappings, y + 42)
    below, low = place(interface_items(machine, MACHINE, bridges=True), first, floor + 24, 190)
    boxes += below
    height = max(low, low_hosts, low_mappings, y + 120) + 16 - y
    frame = _frame(machine, "machine", x, y, w, y + height)
    return [frame, *boxes, *hosts, *placed], y + height, floor + 10


def draw_wide(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> Picture:
    """Draws the diagram for wide screens: the machine on the left, other stacks on the right."""
    stacks = group_by_namespace(columns, states)
    machine = next((one for one in stacks if one.key == MACHINE), None)
    if machine is None:
        return Picture(1188, 120, summary=describe_namespaces(stacks, None))
    boxes, low, channel = _machine_boxes(machine, stacks, 12, 12, (32, 266, 524), 722)
    others = [one for one in stacks if one is not machine]
    x, y, width, row_low = NEAR, 12.0, 376.0, 12.0
    two = len(others) > 4
    for number, stack in enumerate(others):
        left = x + (number % 2) * (width + 24) if two else x
        mode = stack.columns[0].mode
        inner, bottom = _inner(stack, mode, left, y + 44, width)
        boxes += [_frame(stack, "stack", left, y, width, bottom + 16), *inner]
        row_low = max(row_low, bottom + 16)
        if not two or number % 2:
            y = row_low + 18
    total = max(low, row_low) + 12
    index = {box.id: box for box in boxes}
    edges = _edges(machine, stacks, index, channel)
    return Picture(1188 if not two else 1588, total, tuple(boxes), edges, describe_namespaces(stacks, machine))


def draw_narrow(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> Picture:
    """Draws the diagram for phones: stacks one below the other, edges along the left side."""
    stacks = group_by_namespace(columns, states)
    machine = next((one for one in stacks if one.key == MACHINE), None)
    if machine is None:
        return Picture(360, 120, summary=describe_namespaces(stacks, None))
    left, width = 26.0, 326.0
    boxes, y = place(interface_items(machine, MACHINE), left + 14, 54, width - 28, 8)
    hosts, y = _host_boxes(machine, left + 14, y + 12, width - 28)
    mappings = _mapping_items(machine, stacks)
    placed, y = place(mappings, left + 14, y + 12, width - 28, 8)
    boxes = [_frame(machine, "machine", left, 12, width, y + 14), *boxes, *hosts, *placed]
    y += 34
    for stack in stacks:
        if stack is machine:
            continue
        mode = stack.columns[0].mode
        inner, bottom = _inner(stack, mode, left, y + 44, width)
        boxes += [_frame(stack, "stack", left, y, width, bottom + 14), *inner]
        y = bottom + 32
    index = {box.id: box for box in boxes}
    edges = _edges(machine, stacks, index)
    return Picture(360, y, tuple(boxes), edges, describe_namespaces(stacks, machine))


def draw(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> tuple[Picture, Picture]:
    """Returns the wide and the narrow diagram of a state. Several machines are drawn one below the other."""
    groups = group_by_machine(columns, states)
    if groups:
        pairs = [draw(titled(group), group.states) for group in groups]
        return stack_pictures(groups, [pair[0] for pair in pairs]), stack_pictures(groups, [pair[1] for pair in pairs])
    wide = draw_wide(columns, states)
    return wide, replace(draw_narrow(columns, states), summary=wide.summary)
