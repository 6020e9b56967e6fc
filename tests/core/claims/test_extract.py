"""What claims pick out of what they saw."""

from __future__ import annotations

from dashboard.core.claims.extract import (
    holders,
    link_of,
    names_in,
    names_of,
    say_holders,
    say_inodes,
    say_lines,
    servers_in,
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


def test_interfaces_and_who_listens() -> None:
    assert names_of(STATE) == ("lo", "eth0")
    assert link_of(STATE, "eth0") == STATE.interfaces[1]
    assert link_of(STATE, "eth1") is None
    assert [one.pid for one in holders(STATE, 80)] == [7, None]
    assert say_holders(holders(STATE, 80)) == "0.0.0.0:80 nginx, [::]:80 an unknown process"
    assert say_holders(()) == "nobody"


def test_files_are_read_and_said_on_one_line() -> None:
    assert servers_in("# x\nnameserver 127.0.0.11\noptions ndots:0\n") == ("127.0.0.11",)
    assert say_lines("# x\n\nnameserver   192.0.2.1\noptions ndots:0\n") == "nameserver 192.0.2.1; options ndots:0"
    assert say_lines("") == "empty"
    assert names_in("127.0.0.1 localhost\n::1 localhost\n192.0.2.7 db db.lab\n") == {
        "db": "192.0.2.7",
        "db.lab": "192.0.2.7",
    }


def test_inodes_are_said_a_line_each() -> None:
    assert say_inodes("net", {"the machine": {"net": 5}, "the container": {}}) == (
        "net namespace of the machine: 5",
        "net namespace of the container: none",
    )
