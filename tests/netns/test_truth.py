"""Readings agree with ip, ss and sysctl, in namespaces with many unusual objects."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from dashboard.core.namespaces.state import Listener, Protocol, listener_key
from dashboard.netns.kernel import link_kinds
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.netlink.interfaces import read_interfaces, read_routes
from dashboard.netns.netlink.listeners import read_listeners
from dashboard.netns.processes import Owner, find_owners
from dashboard.netns.sysctls import read_sysctls_here
from dashboard.netns.watch.namespace_watch import Watch
from tests.netns.namespaces import Netns, wanted
from tests.support.polling import eventually, until


def _agree_on_links(netns: Netns, namespace: Namespace) -> None:
    """Compares until the kernel has finished: duplicate address detection still changes addresses."""

    def compare() -> bool:
        told, told_routes = netns.interfaces(), netns.routes()
        return read_interfaces(namespace) == told and set(read_routes(namespace)) == told_routes

    until(compare)


async def _view_of(namespace: Namespace) -> tuple[Listener, ...]:
    watch = await Watch.open(namespace, lambda _view: None)
    watch.close()
    return watch.view.listeners


def _multiset(listeners: object) -> Counter[Listener]:
    return Counter(listeners)  # type: ignore[call-overload,no-any-return]  # any iterable of listeners


def test_a_new_namespace_is_read(make_netns: Callable[[], Netns]) -> None:
    netns = make_netns()
    with Namespace.of_pid(netns.pid) as namespace:
        (lo,) = read_interfaces(namespace)
        assert (lo.name, lo.kind, lo.up, lo.addresses) == ("lo", "loopback", False, ())
        assert read_routes(namespace) == ()
        assert read_listeners(namespace) == ()


def test_addresses_of_all_sorts_are_read(netns: Netns, namespace: Namespace) -> None:
    netns.batch(
        "link add left type veth peer name right",
        "addr add 10.0.0.1/24 dev left",
        "addr add 10.0.0.2/24 dev left",  # a secondary one
        "addr add 10.0.0.2/16 dev left",  # the same with another prefix
        "addr add 10.1.0.1 peer 10.1.0.9/30 dev left",  # point to point
        "addr add 169.254.7.7/16 scope link dev left",
        "addr add 127.9.9.9/32 scope host dev lo",
        "addr add 203.0.113.7/32 scope 77 dev right",
        "addr add 2001:db8::1/64 dev left",
        "addr add 2001:db8::2/128 dev left nodad",
        "addr add fd00::1 peer fd00::9/128 dev right",
        "link set left up",
        "link set right up",
        "link set left mtu 9000",
    )
    _agree_on_links(netns, namespace)
    assert len(next(one for one in read_interfaces(namespace) if one.name == "left").addresses) >= 7


def test_every_kind_of_link_that_this_kernel_makes_is_read(netns: Netns, namespace: Namespace) -> None:
    kinds = link_kinds()
    netns.batch("link add below type veth peer name beyond", "link set below up", "link add br0 type bridge")
    netns.batch("link set below master br0", "link set br0 up")
    more = {
        "vlan": "link add link beyond name beyond.7 type vlan id 7",
        "macvlan": "link add link beyond name mv0 type macvlan mode bridge",
        "ipvlan": "link add link beyond name iv0 type ipvlan",
        "vxlan": "link add vx0 type vxlan id 9 dstport 4789 local 127.0.0.1",
        "dummy": "link add du0 type dummy",
    }
    made = [line for kind, line in more.items() if kinds[kind] and (kind != "ipvlan" or not kinds["macvlan"])]
    netns.batch(*made)
    _agree_on_links(netns, namespace)
    assert len(read_interfaces(namespace)) == 4 + len(made)


def test_a_lower_link_and_a_peer_in_another_namespace_are_read(make_netns: Callable[[], Netns]) -> None:
    outer, inner = make_netns(), make_netns()
    outer.batch(
        "link add cable type veth peer name eth0",
        "link add parent type veth peer name other",
        "link add link parent name mv0 type macvlan",
        f"link set eth0 netns {inner.pid}",
        f"link set mv0 netns {inner.pid}",
    )
    for netns in (outer, inner):
        with Namespace.of_pid(netns.pid) as namespace:
            _agree_on_links(netns, namespace)
    with Namespace.of_pid(inner.pid) as namespace:
        assert {one.name: one.peer for one in read_interfaces(namespace)} == {
            "lo": None,
            "eth0": f"if{outer.json('link', 'show', 'cable')[0]['ifindex']}",
            "mv0": f"if{outer.json('link', 'show', 'parent')[0]['ifindex']}",
        }


def test_every_interface_name_that_the_kernel_accepts_is_read(netns: Netns, namespace: Namespace) -> None:
    names = [
        b"fifteen-bytes-x",
        b"\xff\xfe\x80",
        "wlan-é".encode(),
        b"a@b",
        b"a.b",
        b'"q"',
        b"back\\n",
        b"-",
        b"\x1b[1m",
    ]
    for number, name in enumerate(names):
        netns.ip("link", "add", f"v{number}", "type", "veth", "peer", "name", f"p{number}")
        netns.ip("link", "set", f"v{number}", "name", name)
    _agree_on_links(netns, namespace)
    read = {one.name for one in read_interfaces(namespace)}
    assert {r"\xff\xfe\x80", "wlan-é", "a@b", '"q"', "\x1b[1m"} <= read


def test_routes_of_all_sorts_are_read(netns: Netns, namespace: Namespace) -> None:
    netns.batch(
        "link add left type veth peer name right",
        "link set left up",
        "link set right up",
        "addr add 10.0.0.1/24 dev left",
        "addr add 10.0.1.1/24 dev right",
        "addr add 2001:db8::1/64 dev left nodad",
        "addr add 2001:db8:1::1/64 dev right nodad",
        "route add default via 10.0.0.9",
        "route add default via 10.0.0.8 metric 500",
        "route add 10.5.0.0/16 via 10.0.0.7 src 10.0.0.1",
        "route add 10.6.6.6 dev right",
        "route add 10.7.0.0/16 nexthop via 10.0.0.5 nexthop via 10.0.1.5 weight 3",
        "route add 10.8.0.0/16 via inet6 2001:db8::77 dev left",
        "route add unreachable 10.9.0.0/16",
        "route add blackhole 10.10.0.0/16",
        "route add 10.11.0.0/16 via 10.0.0.9 table 100",
        "route add 10.12.0.0/16 via 10.0.0.9 table 1000",
        "route add default via 2001:db8::9",
        "route add 2001:db8:5::/48 via 2001:db8::7 metric 77 src 2001:db8::1",
        "route add 2001:db8:7::/48 nexthop via 2001:db8::5 dev left nexthop via 2001:db8:1::5 dev right",
        "route add unreachable 2001:db8:9::/48",
        "route add 2001:db8:11::/48 via 2001:db8::9 table 100",
    )
    _agree_on_links(netns, namespace)
    assert len([one for one in read_routes(namespace) if one.destination == "10.7.0.0/16"]) == 2


def test_two_hundred_veths_are_read(netns: Netns, namespace: Namespace) -> None:
    netns.batch(*(f"link add h{number} type veth peer name g{number}" for number in range(200)))
    netns.batch(*(f"addr add 10.{number}.0.1/24 dev h{number}" for number in range(200)))
    netns.batch(*(f"link set h{number} up" for number in range(200)))
    _agree_on_links(netns, namespace)
    assert len(read_interfaces(namespace)) == 401


async def test_listeners_of_all_sorts_are_read(netns: Netns, namespace: Namespace) -> None:
    netns.hold(
        [
            wanted("tcp", "inet", "0.0.0.0", 80),
            wanted("tcp", "inet", "127.0.0.1", 81),
            wanted("tcp", "inet", "0.0.0.0", 82, device="lo"),
            wanted("tcp", "inet6", "::", 80, v6only=True),
            wanted("tcp", "inet6", "::", 83, v6only=False),
            wanted("tcp", "inet6", "::1", 84, v6only=True),
            wanted("tcp", "inet6", "::1", 85, v6only=False),
            wanted("tcp", "inet6", "::ffff:127.0.0.1", 86, v6only=False),
            wanted("tcp", "inet6", "::", 87, v6only=True, device="lo"),
            wanted("udp", "inet", "0.0.0.0", 53),
            wanted("udp", "inet", "127.0.0.1", 54),
            wanted("udp", "inet6", "::", 55, v6only=False),
            wanted("udp", "inet6", "::1", 56, v6only=True),
            wanted("udp", "inet", "127.0.0.1", 57, peer=("127.0.0.1", 53)),  # has a peer: no listener
        ]
    )
    read = await _view_of(namespace)
    assert len(read) == 13
    assert _multiset(read) == _multiset(netns.listeners())


async def test_a_thousand_listeners_are_read(netns: Netns, namespace: Namespace) -> None:
    for start in (10_000, 20_000):
        netns.hold(
            [wanted("tcp", "inet", "127.0.0.1", start + number) for number in range(250)]
            + [wanted("tcp", "inet6", "::", start + 1000 + number, v6only=bool(number % 2)) for number in range(125)]
            + [wanted("udp", "inet", "0.0.0.0", start + number) for number in range(125)]
        )
    read = await _view_of(namespace)
    assert len(read) == 1000
    assert _multiset(read) == _multiset(netns.listeners())


async def test_the_master_is_named_where_workers_share_a_socket(netns: Netns, namespace: Namespace) -> None:
    master = netns.hold([wanted("tcp", "inet", "0.0.0.0", 80)], name=b"master", children=3)
    (one,) = await _view_of(namespace)
    assert (one.pid, one.process) == (master.pid, "master")
    assert [one] == netns.listeners()


@pytest.mark.parametrize(
    "name", [b"\xff\xfe\xfd", b"caf\xc3\xa9", b"a b) R 1 (", b"\xe2\x82", b"tab\there", b"fifteen-letters"]
)
async def test_every_process_name_is_read(netns: Netns, namespace: Namespace, name: bytes) -> None:
    process = netns.hold([wanted("tcp", "inet", "0.0.0.0", 80)], name=name)
    (one,) = await _view_of(namespace)
    assert (one.pid, one.process) == (process.pid, name.decode("utf-8", "backslashreplace"))
    if b")" not in name:  # where ss ends the name, wrongly
        assert [one] == netns.listeners()


def test_sockets_that_share_a_port_are_distinguished(netns: Netns, namespace: Namespace) -> None:
    netns.hold([wanted("udp", "inet", "127.0.0.1", 53), wanted("udp", "inet", "127.0.0.2", 53)])
    read = read_listeners(namespace)
    owners: dict[int, Owner] = find_owners({one.inode for one in read})
    assert len(owners) == 2
    assert {one.address for one in read if one.protocol is Protocol.UDP} == {"127.0.0.1", "127.0.0.2"}


def test_the_sysctls_of_the_namespace_and_not_of_the_caller_are_read(netns: Netns, namespace: Namespace) -> None:
    netns.run("sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=0", "net.ipv4.ping_group_range=0 2147483647")
    netns.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.core.somaxconn=77")
    extra = ("net.ipv4.conf.lo.rp_filter", "net.ipv4.no_such_thing", "kernel.hostname", "net.../../etc/passwd")
    read = namespace.run(lambda: read_sysctls_here(extra))
    told = {name: " ".join(netns.run("sysctl", "-n", name).decode().split()) for name in read}
    assert read == told
    assert read["net.ipv4.ip_unprivileged_port_start"] == "0"
    assert read["net.ipv4.ping_group_range"] == "0 2147483647"
    assert read["net.core.somaxconn"] == "77"
    assert "net.ipv4.conf.lo.rp_filter" in read
    assert not {"net.ipv4.no_such_thing", "kernel.hostname", "net.../../etc/passwd"} & read.keys()


class Reader(threading.Thread):
    """Opens and reads a namespace repeatedly until it is gone."""

    def __init__(self, pid: int, names: set[str]) -> None:
        super().__init__()
        self._pid = pid
        self._names = names
        self.rounds = 0
        self.wrong: list[object] = []

    def run(self) -> None:
        while not self.wrong:
            try:
                with Namespace.of_pid(self._pid) as namespace:
                    names = {one.name for one in read_interfaces(namespace)}
                    read_routes(namespace)
                    read_listeners(namespace)
                    namespace.run(read_sysctls_here)
            except NamespaceGone:
                return
            except Exception as error:  # noqa: BLE001 - any other is the failure that is looked for
                self.wrong.append(error)
                return
            if names != self._names:
                self.wrong.append(names)
            self.rounds += 1


def _read_until_killed(netns: Netns) -> list[object]:
    netns.ip("link", "add", "only-here", "type", "veth", "peer", "name", "and-here")
    reader = Reader(netns.pid, {"lo", "only-here", "and-here"})
    reader.start()
    until(lambda: reader.rounds or reader.wrong)
    netns.kill()
    reader.join(20)
    assert not reader.is_alive()
    return reader.wrong


def test_a_namespace_that_disappears_is_reported_and_never_mixed_up(make_netns: Callable[[], Netns]) -> None:
    assert [_read_until_killed(make_netns()) for _ in range(15)] == [[]] * 15


async def test_a_watch_outlives_the_processes_of_its_namespace(netns: Netns, namespace: Namespace) -> None:
    netns.ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
    watch = await Watch.open(namespace, lambda _view: None)
    before = watch.view
    netns.kill()
    await watch.resync()
    assert watch.view == before
    watch.close()
    with pytest.raises(NamespaceGone):
        await watch.resync()


async def test_after_a_burst_the_view_equals_a_dump(netns: Netns, namespace: Namespace) -> None:
    netns.batch("link add v0 type veth peer name v1", "link set v0 up", "link set v1 up")
    watch = await Watch.open(namespace, lambda _view: None)
    add = [f"addr add 10.{number // 200}.{number % 200}.1/24 dev v0" for number in range(300)]
    changes = [
        *add,
        *(f"addr add 2001:db8:{number:x}::1/64 dev v1 nodad" for number in range(100)),
        "link add burst type veth peer name burst-peer",
        "link set burst name burst2",
        *[line.replace("addr add", "addr del") for line in add[::2]],
    ]
    burst = threading.Thread(target=netns.batch, args=changes)
    burst.start()
    await eventually(lambda: not burst.is_alive())  # else the two may agree for a moment in the middle of the burst

    async def agree() -> bool:
        interfaces, routes = netns.interfaces(), netns.routes()
        return watch.view.interfaces == interfaces and set(watch.view.routes) == routes

    await eventually(agree)
    before = watch.view
    await watch.resync()
    assert watch.view == before
    threading.Thread(target=netns.ip, args=("link", "del", "v0")).start()
    await eventually(lambda: {one.name for one in watch.view.interfaces} == {"lo", "burst2", "burst-peer"})
    await eventually(lambda: watch.view.routes == ())
    watch.close()


async def test_opened_and_closed_listeners_are_followed_exactly(netns: Netns, namespace: Namespace) -> None:
    watch = await Watch.open(namespace, lambda _view: None)
    base = [wanted("tcp", "inet", "127.0.0.1", 3000 + number) for number in range(400)]
    first = netns.hold(base[:200])
    second = netns.hold(base[200:], name=b"second")
    await eventually(lambda: len(watch.view.listeners) == 400 and all(one.pid for one in watch.view.listeners))
    assert sorted(watch.view.listeners, key=listener_key) == sorted(netns.listeners(), key=listener_key)
    netns.release(first)
    await eventually(lambda: len(watch.view.listeners) == 200)
    assert sorted(watch.view.listeners, key=listener_key) == sorted(netns.listeners(), key=listener_key)
    assert {replace(one, port=0) for one in watch.view.listeners} == {
        replace(watch.view.listeners[0], pid=second.pid, process="second", port=0)
    }
    netns.release(second)
    await eventually(lambda: watch.view.listeners == ())
    watch.close()
