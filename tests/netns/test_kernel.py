"""Features of this kernel."""

from __future__ import annotations

import os
import subprocess

import pytest

from dashboard.netns.kernel import KINDS, can_enter_namespaces, link_kinds
from dashboard.netns.namespace import Namespace
from tests.netns.namespaces import Netns


def test_each_kind_of_link_is_tried_and_ip_agrees(netns: Netns) -> None:
    netns.ip("link", "add", "parent", "type", "veth")
    arguments = {
        "vlan": ("link", "add", "link", "parent", "try", "type", "vlan", "id", "5"),
        "macvlan": ("link", "add", "link", "parent", "try", "type", "macvlan"),
        "ipvlan": ("link", "add", "link", "parent", "try", "type", "ipvlan"),
        "vxlan": ("link", "add", "try", "type", "vxlan", "id", "5", "dstport", "4789"),
    }
    found = link_kinds()
    assert tuple(found) == KINDS
    for kind, can in found.items():
        enter = ["nsenter", "-t", str(netns.pid), "--net", "ip"]
        command = [*enter, *arguments.get(kind, ("link", "add", "try", "type", kind))]
        assert (subprocess.run(command, capture_output=True, check=False).returncode == 0) is can, kind
        subprocess.run([*enter, "link", "del", "try"], capture_output=True, check=False)


@pytest.mark.parametrize("kind", ["macvlan", "ipvlan"])
def test_a_bridge_with_a_port_can_be_a_parent(netns: Netns, kind: str) -> None:
    netns.ip("link", "add", "br0", "type", "bridge")
    netns.ip("link", "add", "port", "master", "br0", "type", "veth")
    command = ["nsenter", "-t", str(netns.pid), "--net", "ip", "link", "add", "link", "br0", "try", "type", kind]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode == 0) is link_kinds()[kind], done.stderr


def test_link_kinds_are_tried_without_leaving_links_behind(netns: Netns, namespace: Namespace) -> None:
    """In a namespace of the test: in that of this process, links of private hosts come and go."""
    before = netns.ip("-br", "link")
    assert any(namespace.run(link_kinds).values())
    assert netns.ip("-br", "link") == before


def test_without_namespaces_no_kind_is_supported(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_flags: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "unshare", refuse)
    assert link_kinds() == dict.fromkeys(KINDS, False)


def test_root_can_enter_namespaces_and_others_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    assert can_enter_namespaces() is (os.geteuid() == 0)

    def refuse(_descriptor: int, _kind: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setns", refuse)
    assert not can_enter_namespaces()
