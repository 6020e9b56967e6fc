"""Explains why published ports and listeners differ."""

from collections.abc import Iterable

from dashboard.core.comparison.cells import ObservedColumns, RowKey
from dashboard.core.comparison.phrases import (
    RowCells,
    agree,
    arms_of,
    columns_with_value,
    if_host_mode,
    is_bridged,
    join_clauses,
    join_titles,
    make_sentence,
    tap_columns,
)
from dashboard.core.comparison.port_cells import ROUTED
from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.modes import MACHINE, Mode
from dashboard.core.namespaces.forwarders import forwarder_name, is_rootless_forwarder
from dashboard.core.namespaces.state import Listener


def explain_published(observed: ObservedColumns, key: RowKey, cells: RowCells) -> str:
    """Returns why the columns differ in a row about published ports."""
    texts = {cell.text for cell in cells.values() if cell.text is not None}
    if key.field == "asked":
        if len(texts) > 1:
            return (
                "Not every arm was launched with the same -p: two containers cannot be published at the same address "
                "and port of the machine."
            )
        silent = [c for c in observed.columns if c.mode == Mode.CONTAINER and cells[c.key].text is None]
        if silent:
            return "An arm that shares the stack of another arm cannot use -p: ports belong to the owner of the stack."
        return "Not every arm was launched with -p for this port."
    routed = [c for c in observed.columns if cells[c.key].text is None and cells[c.key].absent == ROUTED]
    if routed:
        return (
            f"The network of {join_titles(routed)} is routed: the port is open at the container's own address, and no "
            "port of the machine leads there."
        )
    discarding = [c for c in observed.columns if cells[c.key].text is None and cells[c.key].absent == "discarded"]
    if any(column.mode == Mode.HOST for column in discarding):
        listed = "no longer lists" if observed.engine is EngineKind.PODMAN else "still lists"
        return (
            "The Engine discards -p in host mode: the program listens on the machine itself, nothing is forwarded. "
            f"HostConfig {listed} the mapping."
        )
    if discarding:
        bridges = not any(is_bridged(observed, c) for c in discarding) and not tap_columns(observed)
        return f"Nothing is forwarded to {join_titles(discarding)}{': only bridges forward ports' if bridges else ''}."
    if len(texts) > 1:
        return "Each mapping needs its own address and port of the machine."
    return "The Engine publishes a port only for containers that request it and run."


def _on_port(listeners: Iterable[Listener], key: RowKey) -> list[Listener]:
    return [listener for listener in listeners if key.key == f"{listener.protocol} :{listener.port}"]


def explain_listeners(observed: ObservedColumns, key: RowKey, cells: RowCells) -> str:
    """Returns why the columns differ in a row about listeners."""
    if key.key.endswith(" resolver"):
        return "Only a user-defined network has Docker's own resolver inside the container's namespace."
    if key.key == "udp queries":
        return join_clauses(
            "aardvark-dns asks the machine's name servers and waits for their answers"
            + if_host_mode(observed, ", on sockets that a container in host mode sees too")
        )
    if key.key == "udp datagrams":
        return join_clauses(
            "slirp4netns forwards the UDP datagrams of containers, such as DNS queries, from its own sockets"
            + if_host_mode(observed, ", which a container in host mode sees too")
        )
    on_machine = _on_port(observed.machine.listeners, key) if observed.machine is not None else []
    published = {(p.protocol, p.host_port) for column in observed.columns for p in column.published}
    separate = [
        c for c in columns_with_value(observed, cells) if c.key != MACHINE and not observed.shares_machine(c.key)
    ]
    # If no column publishes the port, docker-proxy publishes it for a container outside the experiment.
    proxied = [one for one in on_machine if one.process == "docker-proxy"]
    if any((one.protocol, one.port) in published for one in proxied) or (proxied and not separate):
        return join_clauses(
            "docker-proxy holds the published port on the machine"
            + if_host_mode(observed, ", and a container in host mode sees it too"),
            "the program itself listens only inside its container",
        )
    if any(one.process == "conmon" and (one.protocol, one.port) in published for one in on_machine):
        return join_clauses(
            "Podman reserves the published port with a socket that its conmon keeps open"
            + if_host_mode(observed, ", and a container in host mode sees it too"),
            "the program itself listens only inside its container",
        )
    forwarder = next((one.process for one in on_machine if is_rootless_forwarder(one.process)), None)
    if forwarder and any(one.process == forwarder and (one.protocol, one.port) in published for one in on_machine):
        return join_clauses(
            f"{forwarder_name(forwarder)} forwards the published port into the container's namespace"
            + if_host_mode(observed, ", and a container in host mode sees its socket"),
            "the program itself listens only inside its container",
        )
    if any(one.process == "aardvark-dns" for one in on_machine):
        return join_clauses(
            "Podman's aardvark-dns answers on the bridges of user-defined networks"
            + if_host_mode(observed, ", and a container in host mode sees it too")
        )
    if any(one.process == "dockerd" and (one.protocol, one.port) in published for one in on_machine):
        return "The Engine itself holds the published port: it runs without docker-proxy."
    arms = [
        c
        for c in arms_of(observed, Mode.HOST)
        if c.container and any(x.container == c.container.id for x in on_machine)
    ]
    if arms and separate:
        return (
            "In host mode the program takes the machine's own port; in its own stack it takes that port "
            "only inside the container."
        )
    if arms:
        return "In host mode the program listens on the machine itself: both columns show the same socket."
    if on_machine and separate:
        return "The machine and the container each have a socket on that port: separate stacks do not conflict."
    inside = [c for c in columns_with_value(observed, cells) if c.key != MACHINE and observed.shares_machine(c.key)]
    if inside and not arms_of(observed, Mode.HOST):
        return f"{join_titles(inside)} {agree(inside, 'shares', 'share')} the machine's stack, including its sockets."
    if on_machine and inside:
        return "Host mode shares the machine's ports: the machine's sockets appear in its column too."
    if on_machine:
        return "Only the machine has the socket: separate stacks share no sockets."
    return make_sentence(
        "the socket belongs to the container's own stack",
        "the same port of the machine is free" if observed.machine is not None else "",
    )
