"""Reads evidence of traffic: packet counters of links, connections with their processes, connection tracking
entries."""

import struct
from collections.abc import Collection
from itertools import islice
from pathlib import Path

from dashboard.core.paths.evidence import PacketCounts, ProcessConnection
from dashboard.netns.namespace import Namespace
from dashboard.netns.netlink.framing import MalformedMessage, dump, split_attributes
from dashboard.netns.netlink.interfaces import open_route_socket
from dashboard.netns.netlink.listeners import open_diag_socket, read_connections
from dashboard.netns.netlink.rtnetlink import RTM_GETLINK, RTM_NEWLINK, decode_link
from dashboard.netns.processes import find_owners

_LINK_BYTES = 16  # struct ifinfomsg
_IFLA_STATS64 = 23
_STATS = struct.Struct("=QQ")  # struct rtnl_link_stats64 begins with received and sent packets
#: The entries in the namespace of the calling thread; ``/proc/net`` shows the namespace of the process.
TRACKED = Path("/proc/thread-self/net/nf_conntrack")
_MAX_ENTRIES = 300_000  # nf_conntrack_max defaults to 262144


def decode_counts(body: bytes) -> PacketCounts:
    """Decodes the packet counters in the body of an RTM_NEWLINK message."""
    raw = split_attributes(body, _LINK_BYTES).get(_IFLA_STATS64, b"")
    if len(raw) < _STATS.size:
        raise MalformedMessage("a link without its counters")
    return PacketCounts(*_STATS.unpack_from(raw))


def read_counts(namespace: Namespace) -> dict[str, PacketCounts]:
    """Returns the packet counters of each link by name. Call it in a thread."""
    counts: dict[str, PacketCounts] = {}
    with namespace.run(open_route_socket) as opened:
        for message in dump(opened, RTM_GETLINK, bytes(_LINK_BYTES)):
            link = decode_link(message.body) if message.type == RTM_NEWLINK else None
            if link is not None:
                counts[link.name] = decode_counts(message.body)
    return counts


def read_process_connections(
    namespace: Namespace, ports: Collection[int], candidates: Collection[int] = ()
) -> tuple[ProcessConnection, ...]:
    """Returns the established TCP connections with one of ``ports`` at either end, each with the name and pid of the
    process that has it open. A connection that no program has accepted has an empty name and pid 0. The search for
    processes begins with the pids ``candidates``. Call it in a thread."""
    with namespace.run(open_diag_socket) as opened:
        connections = [
            connection
            for connection in read_connections(opened)
            if connection.local_port in ports or int(connection.peer.rpartition(":")[2]) in ports
        ]
    owners = find_owners([connection.inode for connection in connections], candidates)
    owned = ((owners.get(connection.inode), connection) for connection in connections)
    return tuple(
        ProcessConnection(owner.process if owner else "", owner.pid if owner else 0, connection.local, connection.peer)
        for owner, connection in owned
    )


def read_tracked(namespace: Namespace, ports: Collection[int]) -> tuple[str, ...] | None:
    """Returns the lines of ``/proc/net/nf_conntrack`` that contain one of ``ports``; None if the kernel does not
    provide the file. Call it in a thread."""
    marks = {f"port={port}" for port in ports}

    def look() -> tuple[str, ...] | None:
        try:
            with TRACKED.open(encoding="ascii", errors="replace") as table:
                return tuple(
                    line.strip()
                    for line in islice(table, _MAX_ENTRIES)
                    if any(word[1:] in marks for word in line.split() if word[1:5] == "port")
                )
        except OSError:
            return None

    return namespace.run(look)
