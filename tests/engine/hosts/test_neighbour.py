"""The neighbour on the LAN of a private host."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.neighbour import NEIGHBOUR_ADDRESSES, neighbour_path
from dashboard.engine.hosts.private_host import MACHINE_ADDRESS, PrivateHost
from dashboard.netns.namespace import Namespace
from dashboard.netns.request import request
from tests.support.polling import DEADLINE_S, eventually, until
from tests.support.private_engine import PrivateEngine, load_lab_image


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        ("unix:///run/netmodes/a1/docker.sock", "/run/netmodes/a1/neighbour"),
        ("unix:///var/run/docker.sock", ""),
        ("unix:///run/netmodes/a1/other.sock", ""),
        ("tcp://127.0.0.1:2375", ""),
        ("", ""),
    ],
)
def test_only_a_private_host_has_a_neighbour(endpoint: str, path: str) -> None:
    assert neighbour_path(endpoint) == path


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateHost]:
    """A running host."""
    folder = tmp_path_factory.mktemp("host")
    yield asyncio.run(private_host.start(folder))
    asyncio.run(private_host.stop_all(folder))


@pytest.fixture
def neighbour(host: PrivateHost) -> Iterator[Namespace]:
    """The namespace of the host's neighbour."""
    with Namespace.of_path_inside(host.pid, neighbour_path(host.endpoint)) as namespace:
        yield namespace


def inside(namespace: Namespace, *argv: str) -> str:
    """The output of a program in a namespace."""
    return subprocess.run(
        ["nsenter", f"--net=/proc/self/fd/{namespace.fd}", "--", *argv],
        pass_fds=[namespace.fd], capture_output=True, text=True, check=True, timeout=20,
    ).stdout  # fmt: skip


@pytest.mark.engine
def test_the_neighbour_is_a_machine_on_the_same_lan(host: PrivateHost, neighbour: Namespace) -> None:
    assert neighbour.inode == host.neighbour
    assert neighbour.inode not in {host.netns, Path("/proc/self/ns/net").stat().st_ino}
    addresses = inside(neighbour, "ip", "-o", "address", "show", "dev", "eth0")
    assert all(f" {address}/" in addresses for address in NEIGHBOUR_ADDRESSES)
    refused = asyncio.run(request(neighbour, MACHINE_ADDRESS, 9, timeout_s=DEADLINE_S))
    assert "refused" in (refused.error or "")
    machine = PrivateEngine(host, host.folder.parent.parent)
    link = machine.on_machine("ip", "-o", "link", "show", "eth0").partition("link/ether ")[2].split()[0]
    # A direct neighbour of the link layer, not a host behind the router.
    assert link in inside(neighbour, "ip", "neigh", "show", MACHINE_ADDRESS)


@pytest.mark.engine
def test_the_neighbour_reaches_host_mode_and_what_is_published(host: PrivateHost, neighbour: Namespace) -> None:
    asyncio.run(load_lab_image(host))
    machine = PrivateEngine(host, host.folder.parent.parent)
    machine.docker("run", "-d", "--network", "host", "nginx")
    machine.docker("run", "-d", "-p", "8080:80", "nginx")
    machine.docker("run", "-d", "-p", "127.0.0.1:8081:80", "nginx")

    async def status(port: int, address: str = MACHINE_ADDRESS) -> int | None:
        return (await request(neighbour, address, port, timeout_s=DEADLINE_S)).status

    async def statuses() -> list[int | None]:
        for port in (80, 8080):
            await eventually(partial(status, port))
        return [await status(port) for port in (80, 8080, 8081)]

    assert asyncio.run(statuses()) == [200, 200, None]
    assert "HTTP/1.1 200" in inside(neighbour, "curl", "-sI", "http://[2001:db8::2]:80/")


@pytest.mark.engine
def test_the_neighbour_ends_with_its_host(tmp_path: Path) -> None:
    host = asyncio.run(private_host.start(tmp_path))
    path = Path(f"/proc/{host.pid}/root{neighbour_path(host.endpoint)}")
    link = f"nm{host.id}"

    def links() -> str:
        return subprocess.run(["ip", "-o", "link"], check=True, capture_output=True, text=True).stdout

    # The kernel removes this link when the namespace with its other end ends.
    subprocess.run(["ip", "link", "add", link, "type", "veth", "peer", "name", "probe", "netns", path], check=True)
    try:
        assert link in links()
        asyncio.run(private_host.stop(host))
        until(lambda: link not in links())
    finally:
        subprocess.run(["ip", "link", "delete", link], check=False, capture_output=True)
        asyncio.run(private_host.stop_all(tmp_path))


@pytest.mark.engine
def test_every_packet_of_a_burst_to_another_network_is_rejected(host: PrivateHost) -> None:
    with Namespace.of_pid(host.pid) as namespace:
        sockets = [namespace.run(lambda: socket.socket(type=socket.SOCK_DGRAM)) for _ in range(200)]
    for one in sockets:
        one.connect(("198.51.100.53", 53))
        one.send(b"query")
    for one in sockets:
        one.settimeout(DEADLINE_S)
        with one, pytest.raises(OSError, match="No route to host"):
            one.recv(1)
