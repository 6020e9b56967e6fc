"""Makes the journal of a busy experiment without an engine. It has seven columns, in which listeners and addresses
change all the time."""

import random
from dataclasses import replace

from dashboard.bench.reports.synthetic_report import (
    AT,
    MACHINE_NETNS,
    make_column,
    make_link,
    make_listener,
    make_state,
)
from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.messages import Column, ExperimentHead, Phase
from dashboard.core.namespaces.delta import delta
from dashboard.core.namespaces.state import Address, Family, NamespaceState, Origin, Resolver, sorted_state

ARMS = 6
SYSCTLS = {f"net.ipv4.conf.all.setting_{number}": str(number % 2) for number in range(15)}
#: Above this, a listener or an address is removed instead of added.
MAX_LISTENERS, MAX_ADDRESSES = 4, 4


def _scene() -> tuple[tuple[Column, ...], dict[str, NamespaceState]]:
    resolver = {"resolver": Resolver(("192.0.2.53",), origin=Origin.MACHINE), "sysctls": SYSCTLS}
    links = [make_link("eth0", 2, "physical", "192.0.2.2"), make_link("docker0", 3, "bridge", "172.17.0.1")]
    columns = [Column("machine", "machine", "this machine")]
    states = {}
    for number in range(ARMS):
        key, container, netns = f"bridge-{number + 1}", f"{number:064x}", 4026532500 + number
        inner, outer = 10 + 2 * number, 11 + 2 * number
        links.append(make_link(f"veth{number:07x}", outer, "veth", peer=f"if{inner}", master="docker0"))
        columns.append(make_column(key, "bridge", container, 8080 + number))
        states[key] = make_state(
            netns,
            f"h{netns}",
            [make_link("eth0", inner, "veth", f"172.17.0.{number + 2}", peer=f"if{outer}")],
            "172.17.0.1",
            [make_listener(80, "nginx", container, 4000 + netns % 100)],
            **resolver | {"resolver": Resolver(("192.0.2.53",), origin=Origin.STRIPPED)},
        )
    nginx = make_listener(80, "nginx", pid=4000 + MACHINE_NETNS % 100)
    machine = make_state(MACHINE_NETNS, f"h{MACHINE_NETNS}", links, "192.0.2.1", [nginx], **resolver)
    return tuple(columns), {"machine": machine, **states}


def _changed(state: NamespaceState, column: Column, source: random.Random) -> tuple[NamespaceState, str]:
    """Adds a listener or an address to a state or, if it has many, removes some. Returns the changed state, and a text
    that describes the change."""
    if source.random() < 0.6:
        if len(state.listeners) > MAX_LISTENERS:
            kept = source.sample(state.listeners, len(state.listeners) - 1)
            return sorted_state(replace(state, listeners=tuple(kept))), "a listener closes"
        port, pid = source.randrange(1024, 60_000), source.randrange(5_000, 400_000)
        listener = make_listener(port, "python3", column.container.id if column.container else None, pid)
        return sorted_state(replace(state, listeners=(*state.listeners, listener))), f"python3 {pid} opens :{port}"
    eth0 = next(link for link in state.interfaces if link.name == "eth0")
    address = Address(f"10.0.{source.randrange(20)}.7", 24, Family.INET)
    others = tuple(known for known in eth0.addresses if known != address)
    is_new = len(others) == len(eth0.addresses) and len(others) < MAX_ADDRESSES
    addresses = (*others, address) if is_new else others[:1]
    links = tuple(replace(link, addresses=addresses) if link is eth0 else link for link in state.interfaces)
    return sorted_state(replace(state, interfaces=links)), f"eth0 changes to {len(addresses)} addresses"


def busy_journal(entries: int) -> tuple[Entry, ...]:
    """Makes a journal of this many entries, each with a visible change."""
    source = random.Random(1)  # noqa: S311 - nothing secret
    columns, states = _scene()
    head = ExperimentHead("busy", "A busy experiment", "nginx", 80, Phase.RUNNING, AT, AT, engine="29.0", round=1)
    facts = Facts(head=head, columns=columns, states=dict(states))
    journal = [Entry(1, AT, Cause(Source.PERSON, "launch"), facts, "Launched")]
    while len(journal) < entries:
        column = source.choice(columns)
        after, text = _changed(states[column.key], column, source)
        if changes := delta(states[column.key], after):
            number = len(journal) + 1
            facts = Facts(changes={column.key: changes})
            cause, text = Cause(Source.KERNEL, "change"), f"{text} in {column.title}"
            journal.append(Entry(number, AT + number / 10, cause, facts, text, (column.key,)))
            states[column.key] = after
    return tuple(journal)
