"""Datagrams, transfers and names between places of a real private host, and changes that are reverted."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator

import pytest

from dashboard.core.claims.testbed import NEIGHBOUR, Datagram, NotTestableError, Transfer
from dashboard.core.modes import MACHINE
from dashboard.engine.docker_engine import DockerEngine
from dashboard.lab.claims.engines import ClaimEngine, open_engine
from dashboard.lab.claims.testbed import EngineTestbed, open_testbed
from dashboard.lab.claims.testbed_traffic import NameServer
from dashboard.lab.watch_pool import WatchPool
from tests.support.fakes import FakeEngine
from tests.support.private_engine import CACHE, PrivateEngine

LABELS = {"dev.netmodes.test": "traffic"}


@pytest.fixture
async def testbed(engine_host: PrivateEngine) -> AsyncIterator[EngineTestbed]:
    """A testbed on the suite's private host."""
    engine, watches = DockerEngine(engine_host.endpoint), WatchPool()
    target = await open_engine(engine, CACHE, watches, engine_host.host)
    async with open_testbed(target, LABELS, "nm-traffic") as opened:
        yield opened
    await watches.close()
    await engine.close()


@pytest.mark.engine
async def test_a_datagram_arrives_unless_a_rule_drops_it(testbed: EngineTestbed) -> None:
    assert await testbed.send_datagram(NEIGHBOUR, MACHINE, "192.0.2.2", 8310) == Datagram(True, "192.0.2.10")
    assert (await testbed.send_datagram(NEIGHBOUR, MACHINE, "239.1.2.9", 8311)).arrived
    assert (await testbed.send_datagram(NEIGHBOUR, MACHINE, "192.0.2.255", 8312)).arrived
    await testbed.alter(
        "iptables -I INPUT -p udp --dport 8313 -j DROP", "iptables -D INPUT -p udp --dport 8313 -j DROP"
    )
    assert await testbed.send_datagram(NEIGHBOUR, MACHINE, "192.0.2.2", 8313) == Datagram(False)
    assert Datagram(False).summary == "did not arrive"


@pytest.mark.engine
async def test_a_transfer_completes_stalls_or_has_no_connection(testbed: EngineTestbed) -> None:
    whole = await testbed.transfer(MACHINE, NEIGHBOUR, "192.0.2.10", 8314, 300_000)
    assert (whole.complete, whole.received, whole.summary) == (True, 300_000, "300000 of 300000 bytes arrived")
    drop = "OUTPUT -p tcp --dport 8315 -m length --length 500: -j DROP"
    await testbed.alter(f"iptables -I {drop}", f"iptables -D {drop}")
    stalled = await testbed.transfer(MACHINE, NEIGHBOUR, "192.0.2.10", 8315, 300_000)
    assert not stalled.complete
    assert stalled.summary.endswith("bytes arrived, then none")
    closed = "OUTPUT -p tcp --dport 8316 -j DROP"
    await testbed.alter(f"iptables -I {closed}", f"iptables -D {closed}")
    refused = await testbed.transfer(MACHINE, NEIGHBOUR, "192.0.2.10", 8316, 10)
    assert not refused.complete
    assert refused.summary.startswith("no connection: ")
    assert not Transfer(1, 1, error="no connection").complete


@pytest.mark.engine
async def test_changes_are_reverted(engine_host: PrivateEngine) -> None:
    engine, watches = DockerEngine(engine_host.endpoint), WatchPool()
    target = await open_engine(engine, CACHE, watches, engine_host.host)
    rule = "INPUT -p tcp --dport 8317 -j DROP"
    async with open_testbed(target, LABELS, "nm-traffic") as testbed:
        await testbed.alter(f"iptables -I {rule}", f"iptables -D {rule}")
        assert "8317" in (await testbed.execute(MACHINE, "iptables-save"))[1]
        with pytest.raises(NotTestableError, match="failed"):
            await testbed.alter("ip link set no-such-link up", "ip link set no-such-link down")
    async with open_testbed(target, LABELS, "nm-traffic") as testbed:
        assert "8317" not in (await testbed.execute(MACHINE, "iptables-save"))[1]
    await watches.close()
    await engine.close()


async def test_the_users_own_machine_is_never_changed(fake: FakeEngine) -> None:
    fake.add_image("netmodes-lab:1")
    target = ClaimEngine(fake, fake.facts, "netmodes-lab:1", WatchPool())
    async with open_testbed(target, LABELS, "nm-traffic") as testbed:
        with pytest.raises(NotTestableError, match="private host"):
            await testbed.alter("iptables -F", "")
        with pytest.raises(NotTestableError, match="private host"):
            await testbed.answer_names("127.0.0.53", {})
        with pytest.raises(NotTestableError, match="private host"):
            await testbed.serve_on_lan(NEIGHBOUR, "192.0.2.10", 80)
        with pytest.raises(NotTestableError, match="Private hosts cannot"):
            await testbed.start_engine("dockerd --icc=false")


def query(name: str, kind: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def test_a_name_server_answers_its_names_only() -> None:
    server = NameServer({"wiki.vpn.example": "198.51.100.7"})
    found = server.answer(query("Wiki.VPN.example"))
    assert found[:2] == struct.pack("!H", 7)
    assert (found[3] & 15, found[7], found[-4:]) == (0, 1, bytes([198, 51, 100, 7]))
    assert server.answer(query("other.example"))[3] & 15 == 3
    other_kind = server.answer(query("wiki.vpn.example", kind=28))
    assert (other_kind[3] & 15, other_kind[7]) == (0, 0)
    assert server.answer(b"") == server.answer(query("wiki")[:14]) == b""
