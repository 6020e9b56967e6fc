"""Finds out what this kernel supports, by trying it."""

import os
import socket
import struct

from dashboard.netns.namespace import in_thread
from dashboard.netns.netlink.framing import pack_attribute, request
from dashboard.netns.netlink.interfaces import open_route_socket
from dashboard.netns.netlink.rtnetlink import RTM_NEWLINK

KINDS = ("veth", "bridge", "macvlan", "ipvlan", "vxlan", "vlan", "dummy")

_NLM_F_CREATE_EXCL = 0x400 | 0x200
_IFLA_IFNAME, _IFLA_LINK, _IFLA_LINKINFO = 3, 5, 18
_IFLA_INFO_KIND, _IFLA_INFO_DATA = 1, 2
_IFLA_VLAN_ID = 1
_IFLA_VXLAN_ID = 1
_ON_A_PARENT = frozenset({"macvlan", "ipvlan", "vlan"})
_PARENT = b"parent0"


def link_kinds() -> dict[str, bool]:
    """Returns, for each kind of link in KINDS, whether this process can create such links. All values are False if it
    cannot create a namespace (without CAP_SYS_ADMIN).

    Creates the links in a temporary namespace, which takes a few milliseconds: call it in a thread. The kernel loads
    the module of a kind if it exists, as it does for Docker.
    """
    try:
        return in_thread(_try_all)
    except OSError:
        return dict.fromkeys(KINDS, False)


def _try_all() -> dict[str, bool]:
    os.unshare(os.CLONE_NEWNET)
    with open_route_socket() as opened:
        veth = _make(opened, "veth", _PARENT)
        parent = 0
        if veth or _make(opened, "dummy", _PARENT) or _make(opened, "bridge", _PARENT):
            parent = socket.if_nametoindex(_PARENT.decode())
        found = {"veth": veth}
        for number, kind in enumerate(KINDS):
            if kind != "veth":
                lower = parent if kind in _ON_A_PARENT else 0
                found[kind] = _make(opened, kind, b"try%d" % number, lower)
        return found


def _make(opened: socket.socket, kind: str, name: bytes, lower: int = 0) -> bool:
    data = {
        "vlan": pack_attribute(_IFLA_VLAN_ID, struct.pack("=H", 5)),
        "vxlan": pack_attribute(_IFLA_VXLAN_ID, struct.pack("=I", 5)),
    }.get(kind, b"")
    info = pack_attribute(_IFLA_INFO_KIND, kind.encode()) + pack_attribute(_IFLA_INFO_DATA, data)
    body = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + pack_attribute(_IFLA_IFNAME, name + b"\0")
    if lower:
        body += pack_attribute(_IFLA_LINK, struct.pack("=I", lower))
    try:
        request(opened, RTM_NEWLINK, _NLM_F_CREATE_EXCL, body + pack_attribute(_IFLA_LINKINFO, info))
    except OSError:
        return False
    return True


def can_enter_namespaces() -> bool:
    """Returns whether this process may enter a network namespace with setns(2) (CAP_SYS_ADMIN). Tries it on its own
    namespace."""
    try:
        descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        in_thread(lambda: os.setns(descriptor, os.CLONE_NEWNET))
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)
