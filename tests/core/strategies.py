"""Hypothesis strategies of core values: small pools, so that two draws overlap and differences are not trivial."""

from __future__ import annotations

from hypothesis import strategies as st
from msgspec import UNSET

from dashboard.core.experiments.messages import ArmStatus, Column, PublishedPort, Row
from dashboard.core.experiments.stream import RowPatch, row_id
from dashboard.core.modes import NEIGHBOUR
from dashboard.core.namespaces.state import (
    ClosedBridge,
    DirectDrop,
    Family,
    FirewallRules,
    HostsEntry,
    Interface,
    IsolatedBridge,
    Listener,
    Lookup,
    NamespaceState,
    Origin,
    Protocol,
    Resolver,
    Route,
    Translation,
    UnreadRules,
    sorted_state,
)
from tests.core.builders import (
    DISCARDED,
    MACHINE_NETNS,
    Columns,
    States,
    container_id,
    end,
    machine_column,
    make_address,
    make_column,
    without,
)
from tests.core.scenes import make_scene, with_neighbour

ports = st.sampled_from([22, 53, 80, 443, 8080, 65535])
names = st.sampled_from(["lo", "eth0", "eth1", "docker0", "br-7f2a9c", "veth1a2b3c4", "tun0", "ünïx"])
inet_texts = st.sampled_from(["0.0.0.0", "127.0.0.1", "127.0.0.11", "192.0.2.2", "172.17.0.1", "172.17.0.2"])
inet6_texts = st.sampled_from(["::", "::1", "2001:db8::2", "fe80::42:1"])
addresses = st.one_of(
    st.builds(make_address, inet_texts, st.integers(0, 32)), st.builds(make_address, inet6_texts, st.integers(0, 128))
)
interfaces = st.builds(
    Interface,
    name=names,
    index=st.integers(1, 12),
    kind=st.sampled_from(["loopback", "physical", "veth", "bridge", "macvlan", "ipvlan", "tun", "vxlan"]),
    mac=st.sampled_from(["", "02:42:ac:11:00:02", "3a:00:00:00:00:07"]),
    mtu=st.sampled_from([1450, 1500, 65536]),
    up=st.booleans(),
    peer=st.one_of(st.none(), st.integers(1, 12).map("if{}".format), names),
    master=st.one_of(st.none(), st.sampled_from(["docker0", "br-7f2a9c"])),
    addresses=st.lists(addresses, max_size=3).map(tuple),
)
routes = st.builds(
    Route,
    family=st.sampled_from(Family),
    destination=st.sampled_from(["default", "172.17.0.0/16", "192.0.2.0/24", "fe80::/64"]),
    gateway=st.one_of(st.none(), inet_texts),
    interface=st.one_of(st.none(), names),
    source=st.one_of(st.none(), inet_texts),
    metric=st.one_of(st.none(), st.integers(0, 3)),
)
processes = st.sampled_from(["nginx", "sshd", "docker-proxy", "dockerd", "python3", None])
listeners = st.builds(
    Listener,
    protocol=st.sampled_from(Protocol),
    family=st.sampled_from(Family),
    address=st.one_of(inet_texts, inet6_texts),
    port=ports,
    pid=st.one_of(st.none(), st.integers(1, 4)),
    process=processes,
    container=st.sampled_from([None, container_id("host"), container_id("bridge"), "f0" * 32]),
    v6only=st.sampled_from([None, True, False]),
    interface=st.one_of(st.none(), names),
)
resolvers = st.builds(
    Resolver,
    nameservers=st.lists(inet_texts, max_size=3).map(tuple),
    search=st.lists(st.sampled_from(["a.example", "b.example"]), max_size=2).map(tuple),
    options=st.lists(st.sampled_from(["ndots:0", "rotate"]), max_size=2).map(tuple),
    origin=st.sampled_from(Origin),
)
hosts_entries = st.builds(
    HostsEntry,
    address=inet_texts,
    names=st.lists(st.sampled_from(["localhost", "lab-1", "db"]), min_size=1, max_size=2).map(tuple),
)
lookups = st.builds(
    Lookup,
    name=st.sampled_from(["localhost", "web", "host.docker.internal"]),
    outcome=st.sampled_from(["answer", "no such name", "no answer", "refused"]),
    answers=st.lists(inet_texts, max_size=2).map(tuple),
    server=st.one_of(st.none(), inet_texts, st.just("hosts file")),
    time_us=st.one_of(st.none(), st.integers(0, 2_000_000)),
)
sysctl_names = st.sampled_from(
    ["net.ipv4.ip_forward", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.core.somaxconn"]
)
translations = st.builds(
    Translation,
    protocol=st.sampled_from(Protocol),
    family=st.sampled_from(Family),
    port=ports,
    to_address=inet_texts,
    to_port=ports,
    address=st.sampled_from(["", "192.0.2.2"]),
    excluded=st.sampled_from([(), ("127.0.0.0/8",)]),
    condition=st.sampled_from(["", "-m owner --uid-owner 0"]),
)
firewalls = st.builds(
    FirewallRules,
    translations=st.lists(translations, max_size=3).map(tuple),
    isolated_bridges=st.sampled_from([(), (IsolatedBridge(Family.INET, "docker0"),)]),
    unread=st.sampled_from([(), (UnreadRules(Family.INET6, "ip6tables-save is not installed"),)]),
    closed_bridges=st.sampled_from([(), (ClosedBridge(Family.INET, "docker0", ("eth1",)),)]),
    direct_drops=st.sampled_from([(), (DirectDrop(Family.INET, "172.17.0.2", ("docker0", "eth0")),)]),
)
#: As they come from an adapter: in any order, with duplicates; a link's index is its own, as in the kernel.
observations = st.builds(
    NamespaceState,
    netns=st.integers(MACHINE_NETNS, MACHINE_NETNS + 3),
    hostname=st.sampled_from(["", "lab-1", container_id("bridge")[:12]]),
    namespaces=st.dictionaries(st.sampled_from(["mnt", "pid", "uts"]), st.integers(1, 3), max_size=3),
    interfaces=st.lists(interfaces, max_size=6, unique_by=lambda one: one.index).map(tuple),
    routes=st.lists(routes, max_size=6).map(tuple),
    listeners=st.lists(listeners, max_size=8).map(tuple),
    resolver=st.one_of(st.none(), resolvers),
    hosts=st.lists(hosts_entries, max_size=3).map(tuple),
    sysctls=st.dictionaries(sysctl_names, st.sampled_from(["0", "1", "1 0", "1\t0"]), max_size=4),
    lookups=st.lists(lookups, max_size=3, unique_by=lambda one: one.name).map(tuple),
    firewall=st.just(UNSET) | firewalls,
)
states = observations.map(sorted_state)
published_ports = st.builds(
    PublishedPort,
    container_port=ports,
    protocol=st.sampled_from(["tcp", "udp"]),
    host_address=st.sampled_from(["", "0.0.0.0", "::", "127.0.0.1"]),
    host_port=st.one_of(st.just(0), ports),
)
arm_keys = st.sampled_from(["host", "bridge", "user-bridge", "none", "container", "macvlan"])


def columns_with_key(key: str) -> st.SearchStrategy[Column]:
    """A column with this key and default fields."""
    return st.builds(
        make_column,
        key=st.just(key),
        asked=st.lists(published_ports, max_size=2).map(tuple),
        published=st.lists(published_ports, max_size=2).map(tuple),
        status=st.sampled_from(ArmStatus),
        warnings=st.sampled_from([(), (DISCARDED,)]),
        error=st.sampled_from([None, "Error response from daemon: no"]),
        exit_code=st.sampled_from([None, 0, 1]),
        networks=st.sampled_from([{}, {"bridge": "172.17.0.2"}, {"none": ""}]),
        target=st.sampled_from([None, "bridge"]),
    )


columns = arm_keys.flatmap(columns_with_key)


@st.composite
def generated_scenes(draw: st.DrawFn) -> tuple[Columns, States]:
    """Generates columns with arbitrary states, including impossible ones."""
    keys = draw(st.lists(arm_keys, max_size=4, unique=True))
    heads = (machine_column(), *(draw(columns_with_key(key)) for key in keys))
    if draw(st.integers(0, 2)) == 0:
        heads = (*heads, make_column(NEIGHBOUR, mode=NEIGHBOUR, container=None, port=None))
    found = {column.key: draw(states) for column in heads if draw(st.integers(0, 4)) > 0}
    return heads, found


@st.composite
def engine_scenes(draw: st.DrawFn) -> tuple[Columns, States]:
    """Generates scenes that an engine can produce: any set of modes, some arms ended, some services on the machine."""
    order = ["host", "bridge", "user-bridge", "none", "macvlan", "overlay", "container"]
    wanted = draw(st.lists(st.sampled_from(order), min_size=1, max_size=6, unique=True))
    heads, found = make_scene(
        sorted(wanted, key=order.index), publish=draw(st.sampled_from([None, 80, 8080])), sshd=draw(st.booleans())
    )
    for key in draw(st.lists(st.sampled_from(wanted), max_size=2, unique=True)):
        status = draw(st.sampled_from([ArmStatus.EXITED, ArmStatus.LOST, ArmStatus.GONE, ArmStatus.REFUSED]))
        heads = end(heads, key, status)
        found = without(found, key)
    return with_neighbour(heads, found) if draw(st.booleans()) else (heads, found)


def apply_rows(rows: tuple[Row, ...], patch: RowPatch) -> tuple[Row, ...]:
    """The rows after a patch, applied as the browser does; a property test compares them with
    those of ``diff_rows``."""
    gone = set(patch.remove)
    result = [row for row in rows if row_id(row) not in gone]
    for placed in patch.set:
        index = next((n for n, row in enumerate(result) if row_id(row) == placed.id), None)
        if index is not None:
            result[index] = placed.row
            continue
        behind = next((n for n, row in enumerate(result) if row_id(row) == placed.after), -1)
        result.insert(behind + 1, placed.row)
    return tuple(result)
