"""The values that claims extract from an observation, and their format."""

from __future__ import annotations

from dashboard.core.claims.extract import (
    describe_inodes,
    describe_listeners,
    describe_ports,
    find_interface,
    host_entries,
    interface_names,
    listeners_on,
    nameservers,
    on_one_line,
)
from dashboard.core.namespaces.state import Family, Interface, Listener, NamespaceState, Protocol

STATE = NamespaceState(
    1,
    interfaces=(Interface("lo", 1, "loopback"), Interface("eth0", 2, "veth")),
    listeners=(
        Listener(Protocol.TCP, Family.INET, "0.0.0.0", 80, 7, "nginx"),
        Listener(Protocol.TCP, Family.INET6, "::", 80, None, None),
        Listener(Protocol.UDP, Family.INET, "0.0.0.0", 80, 8, "other"),
        Listener(Protocol.TCP, Family.INET, "0.0.0.0", 8080, 9, "other"),
    ),
)


def test_interfaces_and_tcp_listeners_are_found_and_described() -> None:
    assert interface_names(STATE) == ("lo", "eth0")
    assert find_interface(STATE, "eth0") == STATE.interfaces[1]
    assert find_interface(STATE, "eth1") is None
    assert [listener.pid for listener in listeners_on(STATE, 80)] == [7, None]
    assert describe_listeners(listeners_on(STATE, 80)) == "0.0.0.0:80 nginx, [::]:80 unknown process"
    assert describe_listeners(()) == "no listener"


def test_files_are_parsed_and_written_on_one_line() -> None:
    assert nameservers("# x\nnameserver 127.0.0.11\noptions ndots:0\n") == ("127.0.0.11",)
    assert on_one_line("# x\n\nnameserver   192.0.2.1\noptions ndots:0\n") == "nameserver 192.0.2.1; options ndots:0"
    assert on_one_line("") == "empty"
    assert host_entries("127.0.0.1 localhost\n::1 localhost\n192.0.2.7 db db.lab\n") == {
        "db": "192.0.2.7",
        "db.lab": "192.0.2.7",
    }


def test_ports_are_described_with_where_they_are_bound() -> None:
    ports = {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}, {"HostIp": "", "HostPort": "8081"}],
        "53/udp": [{"HostIp": "", "HostPort": ""}],
        "90/tcp": None,
    }
    assert describe_ports(ports) == (
        "80/tcp at port 8080 of 127.0.0.1, 80/tcp at port 8081, 53/udp at a port that the Engine chooses, "
        "90/tcp at no port"
    )
    assert describe_ports(None) == describe_ports({}) == "none"


def test_each_inode_is_described_on_a_line() -> None:
    assert describe_inodes("net", {"the machine": {"net": 5}, "the container": {}}) == (
        "net namespace of the machine: 5",
        "net namespace of the container: none",
    )
