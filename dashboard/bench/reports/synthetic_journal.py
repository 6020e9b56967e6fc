"""A busy experiment without an engine: seven columns, in which listeners and addresses come and go all the time."""

from __future__ import annotations

import random
from dataclasses import replace

from dashboard.bench.reports.synthetic_report import AT
from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.messages import Column, ContainerRef, PublishedPort
from dashboard.core.experiments.stream import ExperimentHead, Phase
from dashboard.core.namespaces.delta import delta
from dashboard.core.namespaces.state import (
    Address,
    Family,
    Interface,
    Listener,
    NamespaceState,
    Origin,
    Protocol,
    Resolver,
    Route,
    sorted_state,
)

ARMS = 6
_SYSCTLS = {f"net.ipv4.conf.all.setting_{number}": str(number % 2) for number in range(15)}
States = dict[str, NamespaceState]


def _link(name: str, index: int, kind: str, address: str, peer: str | None = None) -> Interface:
    addresses = (Address(address, 16, Family.INET),) if address else ()
    master = "docker0" if peer and not address else None
    return Interface(name, index, kind, f"02:42:00:00:00:{index:02x}", peer=peer, master=master, addresses=addresses)


def _state(netns: int, links: tuple[Interface, ...], gateway: str, container: str | None = None) -> NamespaceState:
    loopback = Interface("lo", 1, "loopback", addresses=(Address("127.0.0.1", 8, Family.INET, "host"),))
    listener = Listener(Protocol.TCP, Family.INET, "0.0.0.0", 80, 4000 + netns % 100, "nginx", container)  # noqa: S104
    resolver = Resolver(("192.0.2.53",), origin=Origin.STRIPPED if container else Origin.MACHINE)
    route = Route(Family.INET, "default", gateway, "eth0")
    return sorted_state(
        NamespaceState(
            netns, f"h{netns}", {"net": netns}, (loopback, *links), (route,), (listener,), resolver, (), _SYSCTLS
        )
    )


def _scene() -> tuple[tuple[Column, ...], States]:
    outer = [_link(f"veth{number:07x}", 11 + 2 * number, "veth", "", f"if{10 + 2 * number}") for number in range(ARMS)]
    links = (_link("eth0", 2, "physical", "192.0.2.2"), _link("docker0", 3, "bridge", "172.17.0.1"), *outer)
    columns = [Column("machine", "machine", "this machine")]
    states = {"machine": _state(4026531840, links, "192.0.2.1")}
    for number in range(ARMS):
        key, container = f"bridge-{number + 1}", f"{number:064x}"
        inner = _link("eth0", 10 + 2 * number, "veth", f"172.17.0.{number + 2}", f"if{11 + 2 * number}")
        published = (PublishedPort(80, "tcp", "0.0.0.0", 8080 + number),)  # noqa: S104 - shown
        ref = ContainerRef(container, f"nm-{key}", "nginx")
        command = f"docker run -p {8080 + number}:80 nginx"
        columns.append(Column(key, "bridge", key, ref, command, published=published, asked=published))
        states[key] = _state(4026532500 + number, (inner,), "172.17.0.1", container)
    return tuple(columns), states


def _changed(state: NamespaceState, column: Column, source: random.Random) -> tuple[NamespaceState, str]:
    """One listener or address more or, from four on, one less."""
    if source.random() < 0.6:
        if len(state.listeners) > 4:
            kept = source.sample(state.listeners, len(state.listeners) - 1)
            return sorted_state(replace(state, listeners=tuple(kept))), "a listener closes"
        port, pid = source.randrange(1024, 60_000), source.randrange(5_000, 400_000)
        container = column.container.id if column.container else None
        one = Listener(Protocol.TCP, Family.INET, "0.0.0.0", port, pid, "python3", container)  # noqa: S104 - shown
        return sorted_state(replace(state, listeners=(*state.listeners, one))), f"python3 {pid} opens :{port}"
    eth0 = next(one for one in state.interfaces if one.name == "eth0")
    address = Address(f"10.0.{source.randrange(20)}.7", 24, Family.INET)
    kept_addresses = tuple(one for one in eth0.addresses if one != address)
    more = len(kept_addresses) == len(eth0.addresses) and len(kept_addresses) < 4
    addresses = (*kept_addresses, address) if more else kept_addresses[:1]
    links = tuple(replace(one, addresses=addresses) if one is eth0 else one for one in state.interfaces)
    return sorted_state(replace(state, interfaces=links)), f"eth0 changes to {len(addresses)} addresses"


def busy_journal(entries: int, seed: int = 1) -> tuple[Entry, ...]:
    """So many entries; every one changes what is shown."""
    source = random.Random(seed)  # noqa: S311 - nothing secret
    columns, states = _scene()
    head = ExperimentHead("busy", "A busy experiment", "nginx", 80, Phase.RUNNING, AT, AT, engine="29.0", round=1)
    found = [
        Entry(1, AT, Cause(Source.PERSON, "launch"), Facts(head=head, columns=columns, states=dict(states)), "Launched")
    ]
    while len(found) < entries:
        column = source.choice(columns)
        after, text = _changed(states[column.key], column, source)
        if changes := delta(states[column.key], after):
            number = len(found) + 1
            facts = Facts(changes={column.key: changes})
            said = f"{text} in {column.title}"
            found.append(Entry(number, AT + number / 10, Cause(Source.KERNEL, "change"), facts, said, (column.key,)))
            states[column.key] = after
    return tuple(found)
