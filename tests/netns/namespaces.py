"""Network namespaces created by tests, and their contents as reported by the system's own tools."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from msgspec import UNSET

from dashboard.core.namespaces.state import Address, Family, Interface, Listener, Protocol, Route
from dashboard.netns.netlink.rtnetlink import decode_name
from tests.support.polling import until

_USERS = re.compile(rb'\("(.*?)",pid=(\d+),fd=\d+\)')

#: Opens the sockets of a JSON list, tells "ready", and holds them until stdin ends.
_HOLD_SOCKETS = r"""
import ctypes, json, os, socket, sys
name = bytes.fromhex(sys.argv[1])
if name:
    ctypes.CDLL(None).prctl(15, ctypes.c_char_p(name), 0, 0, 0)
held = []
for protocol, family, address, port, v6only, device, peer in json.loads(sys.argv[2]):
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    one = socket.socket(socket.AF_INET6 if family == "inet6" else socket.AF_INET, kind)
    if v6only is not None:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(v6only))
    if device:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    one.bind((address, port))
    if peer:
        one.connect(tuple(peer))
    elif protocol == "tcp":
        one.listen()
    held.append(one)
children = []
for _ in range(int(sys.argv[3])):
    pid = os.fork()
    if pid == 0:
        sys.stdin.read()
        os._exit(0)
    children.append(pid)
print("ready", flush=True)
sys.stdin.read()
"""


def wanted(
    protocol: str,
    family: str,
    address: str,
    port: int,
    v6only: bool | None = None,
    device: str = "",
    peer: tuple[str, int] | None = None,
) -> list[Any]:
    """A socket that ``Netns.hold`` opens."""
    return [protocol, family, address, port, v6only, device, peer]


def _netns(pid: int | str) -> int:
    return Path(f"/proc/{pid}/ns/net").stat().st_ino


class Netns:
    """A namespace, held by a process that sleeps in it. ``close`` ends its processes, and so the namespace."""

    def __init__(self) -> None:
        self._children: list[subprocess.Popen[bytes]] = []
        own = _netns("self")
        self._holder = subprocess.Popen(["unshare", "--net", "--uts", "sleep", "infinity"])
        self.pid = self._holder.pid
        until(lambda: _netns(self.pid) != own)
        until(lambda: Path(f"/proc/{self.pid}/comm").read_bytes() == b"sleep\n")

    def run(self, *argv: str | bytes, stdin: bytes | None = None) -> bytes:
        """stdout of a command in the namespace."""
        enter = ["nsenter", "-t", str(self.pid), "--net", "--", *argv]
        done = subprocess.run(enter, input=stdin, capture_output=True, check=False)
        assert done.returncode == 0, (argv, done.stderr)
        return done.stdout

    def ip(self, *arguments: str | bytes) -> bytes:
        """The ``ip`` command."""
        return self.run("ip", *arguments)

    def batch(self, *lines: str) -> None:
        """Runs many ``ip`` commands in one batch."""
        self.run("ip", "-batch", "-", stdin="\n".join(lines).encode() + b"\n")

    def json(self, *arguments: str) -> Any:
        """The output of ``ip -j``, decoded. It has the bytes of names unchanged, UTF-8 or not."""
        return json.loads(self.ip("-j", *arguments).decode("utf-8", "surrogateescape"), strict=False)

    def rename_host(self, name: str) -> None:
        """Changes the host name of the namespace."""
        subprocess.run(["nsenter", "-t", str(self.pid), "--uts", "--", "hostname", name], check=True)

    def hold(self, sockets: list[list[Any]], name: bytes = b"", children: int = 0) -> subprocess.Popen[bytes]:
        """Starts a listening process in the namespace; ``release`` ends it. ``children`` inherit the sockets."""
        argv = [sys.executable, "-S", "-c", _HOLD_SOCKETS, name.hex(), json.dumps(sockets), str(children)]
        enter = ["nsenter", "-t", str(self.pid), "--net", "--", *argv]
        process = subprocess.Popen(enter, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._children.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    def release(self, process: subprocess.Popen[bytes]) -> None:
        """Ends a process of ``hold``."""
        self._children.remove(process)
        process.communicate()

    def kill(self) -> None:
        """Ends the holder at once. The namespace ends with the last handle on it."""
        self._holder.kill()
        self._holder.wait()

    def close(self) -> None:
        for process in tuple(self._children):
            self.release(process)
        self.kill()

    # The output of the tools, as Netmodes' own types.

    def interfaces(self) -> tuple[Interface, ...]:
        """The interfaces, from ``ip -j -d addr``."""
        told = [one for one in self.json("-d", "addr") if one]
        indexes = {one["ifname"]: one["ifindex"] for one in told}
        own = _netns(self.pid)
        return tuple(sorted((_interface(one, indexes, own) for one in told), key=lambda one: (one.index, one.name)))

    def routes(self) -> set[Route]:
        """The unicast routes, one per next hop, from ``ip -j route`` and ``ip -j -6 route``."""
        found: set[Route] = set()
        for family, arguments in ((Family.INET, ("route",)), (Family.INET6, ("-6", "route"))):
            for one in self.json(*arguments):
                if one.get("type", "unicast") == "unicast":
                    found.update(_routes(family, one))
        return found

    def listeners(self) -> list[Listener]:
        """The listeners, from ``ss -Hltnupe``: one entry per socket, owned by its lowest pid."""
        return [parse_listener(line) for line in self.run("ss", "-Hltnupe").splitlines()]


def _name(text: str) -> str:
    return decode_name(text.encode("utf-8", "surrogateescape"))


def _interface(told: dict[str, Any], indexes: dict[str, int], own: int) -> Interface:
    kind = told.get("linkinfo", {}).get("info_kind")
    if kind is None:
        kind = "loopback" if told["link_type"] == "loopback" else "physical"
    peer: str | None = None
    if "link_index" in told:
        peer = f"if{told['link_index']}"
    elif told.get("link"):
        peer = f"if{indexes[told['link']]}" if kind == "veth" else _name(told["link"])
    local = own if kind == "veth" and peer else UNSET
    return Interface(
        name=_name(told["ifname"]),
        index=told["ifindex"],
        kind=kind,
        mac=told.get("address", ""),
        mtu=told["mtu"],
        up="UP" in told["flags"],
        peer=peer,
        master=_name(told["master"]) if "master" in told else None,
        addresses=tuple(
            sorted(
                (
                    Address(one["local"], one["prefixlen"], Family(one["family"]), one["scope"])
                    for one in told["addr_info"]
                    if one
                ),
                key=lambda one: (one.family, one.address, one.prefix),
            )
        ),
        peer_netns=0 if "link_netnsid" in told else local,
    )


def _routes(family: Family, told: dict[str, Any]) -> list[Route]:
    destination = told["dst"]
    if destination != "default" and "/" not in destination:
        destination += "/32" if family is Family.INET else "/128"
    return [
        Route(
            family=family,
            destination=destination,
            gateway=hop.get("gateway") or hop.get("via", {}).get("host"),
            interface=_name(hop["dev"]) if "dev" in hop else None,
            source=told.get("prefsrc"),
            metric=told.get("metric"),
        )
        for hop in told.get("nexthops", [told])
    ]


def parse_listener(line: bytes) -> Listener:
    """A line of ``ss -Hltnupe``; the owner is the lowest pid."""
    fields = line.split(None, 6)
    protocol = Protocol(fields[0].decode())
    place, _, port = fields[4].decode().rpartition(":")
    address, _, device = place.partition("%")
    rest = fields[6] if len(fields) > 6 else b""
    users = sorted((int(pid), name) for name, pid in _USERS.findall(rest))
    v6only: bool | None = None
    family = Family.INET
    if "*" in address or "[" in address:
        family = Family.INET6
        v6only = b"v6only:1" in rest
        address = "::" if address == "*" else address.strip("[]")
        device = device.strip("]")
    return Listener(
        protocol=protocol,
        family=family,
        address=address,
        port=int(port),
        pid=users[0][0] if users else None,
        process=decode_name(users[0][1]) if users else None,
        v6only=v6only,
        interface=device or None,
    )
