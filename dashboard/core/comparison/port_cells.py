"""Cells of listeners and published ports."""

from collections.abc import Iterable

from dashboard.core.comparison.cells import Cell, Cells, ObservedColumns, RowKey
from dashboard.core.experiments.messages import ArmStatus, Column, PublishedPort
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.addresses import bracket
from dashboard.core.namespaces.resolver import DOCKER_SERVER
from dashboard.core.namespaces.state import Listener, NamespaceState

#: The word for a port of a routed network.
ROUTED = "not published: routed"
DNS_PORT = 53
SLIRP4NETNS = "slirp4netns"
PORT_RANGE, DEFAULT_RANGE = "net.ipv4.ip_local_port_range", (32768, 60999)


#: Programs that send from UDP sockets on random ports, and what they send there: nothing listens on these ports.
ASKING = {"aardvark-dns": "queries", SLIRP4NETNS: "datagrams"}


def _only_sends(listener: Listener, state: NamespaceState) -> bool:
    """Whether aardvark-dns or slirp4netns uses this UDP socket only for sending, for example queries.

    slirp4netns sends from ports that the kernel chooses, in the range of the sysctl ``PORT_RANGE``. Its other sockets
    hold published ports, including those of containers outside the experiment.
    """
    if listener.protocol != "udp" or listener.process not in ASKING or listener.port == DNS_PORT:
        return False
    if listener.process != SLIRP4NETNS:
        return True
    try:
        low, high = map(int, state.sysctls[PORT_RANGE].split())
    except (KeyError, ValueError):
        low, high = DEFAULT_RANGE
    return low <= listener.port <= high


def _describe_address(listener: Listener) -> str:
    if listener.address in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        text = "all IPv4" if listener.family == "inet" else ("all IPv6" if listener.v6only else "all IPv4 and IPv6")
    else:
        text = bracket(listener.address)
    return f"{text}%{listener.interface}" if listener.interface else text


def listener_cells(observed: ObservedColumns, column: Column, state: NamespaceState) -> Cells:
    """Yields a cell for each protocol and port on which a program in the column's namespace listens. Docker's own
    resolver and the sockets that programs use only for sending have random ports, so their cells are in rows without a
    port number."""
    grouped: dict[tuple[str, int], list[Listener]] = {}
    asking: dict[str, int] = {}
    published = {one.host_port for other in observed.columns for one in other.published}
    apart = column.key != MACHINE and not observed.shares_machine(column.key)
    for listener in state.listeners:
        if apart and listener.address == DOCKER_SERVER and listener.container is None:
            key = RowKey(
                "listeners",
                f"{listener.protocol} resolver",
                "",
                f"{listener.protocol} {DOCKER_SERVER}",
                (99999, listener.protocol),
            )
            yield (
                key,
                Cell(f"{listener.process or 'dockerd'} :{listener.port}", "Docker's resolver", note="random port"),
            )
        elif listener.process is not None and listener.port not in published and _only_sends(listener, state):
            asking[listener.process] = asking.get(listener.process, 0) + 1
        else:
            grouped.setdefault((listener.protocol, listener.port), []).append(listener)
    for process, count in asking.items():
        what = ASKING[process]
        key = RowKey("listeners", f"udp {what}", "", f"udp, {what} of {process}", (99999, f"udp {what}"))
        yield key, Cell(process, note=f"{count} socket{'' if count == 1 else 's'}, random ports")
    for (protocol, port), listeners in grouped.items():
        key = RowKey("listeners", f"{protocol} :{port}", "", f"{protocol} :{port}", (port, protocol))
        yield key, _listener_cell(observed, column, listeners)


def _listener_cell(observed: ObservedColumns, column: Column, listeners: Iterable[Listener]) -> Cell:
    owners: dict[tuple[str, int | None, str], list[str]] = {}
    normalised = set()
    for listener in listeners:
        owner = observed.owner_title(listener.container)
        foreign = f" ({owner})" if owner is not None and owner != column.title else ""
        name = listener.process or "unknown process"
        owners.setdefault((name, listener.pid, foreign), []).append(_describe_address(listener))
        holder = "the machine" if listener.container is None else "a container"
        normalised.add(f"{name}{foreign} of {holder} at {_describe_address(listener)}")
    lines = [f"{name}{f' {pid}' if pid else ''}{foreign}" for name, pid, foreign in owners]
    places = dict.fromkeys(", ".join(dict.fromkeys(addresses)) for addresses in owners.values())
    return Cell("\n".join(lines), "\n".join(sorted(normalised)), note="; ".join(places))


def _published_text(ports: Iterable[PublishedPort]) -> str:
    parts = []
    for one in ports:
        port = f":{one.host_port}" if one.host_port else ":any free port"
        parts.append(f"{bracket(one.host_address)}{port}" if one.host_address or one.host_port else port[1:])
    return "\n".join(dict.fromkeys(parts))


def published_cells(column: Column) -> Cells:
    """Yields two cells for every container port that was requested or is published. The first has the requested address
    and port of the machine, the second the actual ones. Each of the two belongs to a row of its own."""
    ports = {(one.container_port, one.protocol) for one in (*column.asked, *column.published)}
    for port, protocol in sorted(ports):
        asked = [one for one in column.asked if (one.container_port, one.protocol) == (port, protocol)]
        real = [one for one in column.published if (one.container_port, one.protocol) == (port, protocol)]
        key = f"{port}/{protocol}"
        text = _published_text(asked)
        yield (
            RowKey("published", key, "asked", f"{key} requested", (port, protocol, 0)),
            Cell(text or None, absent="not requested"),
        )
        # Docker reports no port of the machine for a network with gateway mode routed.
        text = _published_text(one for one in real if one.host_port)
        if text:
            routed = dict.fromkeys(bracket(one.host_address) for one in real if not one.host_port)
            text = "\n".join((text, *(f"{address} {ROUTED}" for address in routed)))
        running = column.status is ArmStatus.RUNNING
        word = ROUTED if real else "discarded" if running else "not running"
        yield (
            RowKey("published", key, "published", f"{key} published", (port, protocol, 1)),
            Cell(text or None, absent=word),
        )
