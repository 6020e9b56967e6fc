"""Sysctls by name."""

from __future__ import annotations

import pytest

from dashboard.netns.namespace import Namespace
from dashboard.netns.sysctls import NAMES, read_sysctls_here
from tests.netns.namespaces import Netns


def test_sysctls_that_docker_changes_are_read(netns: Netns, namespace: Namespace) -> None:
    read = namespace.run(read_sysctls_here)
    assert {"net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.ip_forward"} <= read.keys()
    assert read.keys() <= set(NAMES)
    assert read["net.ipv4.ping_group_range"] == "1 0"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "net",
        "net.",
        "kernel.hostname",
        "net.ipv4",
        "net.nothing",
        "net/ipv4/ip_forward",
        "net.ipv4.ip_forward\n",
        "net.ipv4.conf.//.//",
        "net.//.//.kernel.hostname",
        "net.ipv4.route.flush",
        "net." + "x" * 500,
    ],
)
def test_unreadable_names_and_other_sysctls_are_omitted(name: str) -> None:
    assert name not in read_sysctls_here((name,))


def test_a_slash_stands_for_a_dot_in_a_name(netns: Netns, namespace: Namespace) -> None:
    netns.ip("link", "add", "v0.100", "type", "veth")
    name = "net.ipv4.conf.v0/100.rp_filter"
    assert namespace.run(lambda: read_sysctls_here((name,)))[name].isdigit()
