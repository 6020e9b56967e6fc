"""What changed, in a few words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.namespaces.state import Address, Family, Interface, Listener, Protocol, Route
from dashboard.netns.watch.kernel_view import KernelView, say_cause

LO = Interface("lo", 1, "loopback")
ETH = Interface("eth0", 2, "veth")
ADDRESS = Address("10.0.0.1", 24, Family.INET)
WEB = Listener(Protocol.TCP, Family.INET, "0.0.0.0", 80)
BASE = KernelView((LO, ETH), (), (WEB,), {"net.x": "1"})


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (BASE, ""),
        (replace(BASE, interfaces=(LO,)), "link eth0"),
        (replace(BASE, interfaces=(LO, ETH, Interface("eth1", 3, "veth"))), "link eth1"),
        (replace(BASE, interfaces=(LO, replace(ETH, mtu=9000))), "link eth0"),
        (replace(BASE, interfaces=(LO, replace(ETH, name="w0"))), "link w0"),
        (replace(BASE, interfaces=(LO, replace(ETH, addresses=(ADDRESS,)))), "address eth0"),
        (replace(BASE, interfaces=(LO, replace(ETH, addresses=(ADDRESS,), up=False))), "link eth0"),
        (
            replace(BASE, interfaces=(replace(LO, addresses=(ADDRESS,)), replace(ETH, up=False))),
            "link eth0, address lo",
        ),
        (replace(BASE, routes=(Route(Family.INET, "default"),)), "route"),
        (
            replace(
                BASE,
                interfaces=(LO, replace(ETH, addresses=(ADDRESS,))),
                routes=(Route(Family.INET, "10.0.0.0/24"),),
            ),
            "address eth0, route",
        ),
        (replace(BASE, listeners=()), "listener tcp :80"),
        (replace(BASE, listeners=(replace(WEB, pid=7),)), "listener tcp :80"),
        (replace(BASE, listeners=(WEB, replace(WEB, protocol=Protocol.UDP, port=53))), "listener udp :53"),
        (
            replace(BASE, listeners=tuple(replace(WEB, port=port) for port in (80, 1, 2, 3, 4))),
            "listener tcp :1, listener tcp :2, listener tcp :3, …",
        ),
        (replace(BASE, sysctls={"net.x": "2"}), "sysctl"),
    ],
)
def test_a_change_is_said_with_its_most_important_part_first(after: KernelView, expected: str) -> None:
    assert say_cause(BASE, after) == expected
    assert bool(say_cause(after, BASE)) == bool(expected)
