"""One datagram to a multicast group, between a machine and a container that a bridge joins."""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable, Iterator

import pytest

from dashboard.netns.multicast import Receiver, _receive, send_to_group
from dashboard.netns.namespace import Namespace
from tests.netns.namespaces import Netns
from tests.support.polling import others_run, until

GROUP, PORT = "224.0.0.251", 25353
#: Indexes of the machine's links; no link has the last one.
UPLINK, BRIDGE, MISSING = 50, 51, 99


@pytest.fixture
def stacks(make_netns: Callable[[], Netns]) -> Iterator[tuple[Namespace, Receiver]]:
    """The machine with an uplink and a bridge, and a container on that bridge, which joins on its link."""
    machine, container = make_netns(), make_netns()
    machine.batch(
        "link set lo up",
        f"link add uplink index {UPLINK} type veth peer name far",
        "address add 192.0.2.2/24 dev uplink",
        "link set uplink up",
        "link set far up",
        f"link add bridge0 index {BRIDGE} type bridge",
        "address add 198.51.100.1/24 dev bridge0",
        "link set bridge0 up",
        f"link add outer type veth peer name inner netns {container.pid}",
        "link set outer master bridge0 up",
    )
    container.batch("link set lo up", "address add 198.51.100.2/24 dev inner", "link set inner up")
    (inner,) = container.json("link", "show", "inner")
    with Namespace.of_pid(machine.pid) as near, Namespace.of_pid(container.pid) as far:
        yield near, Receiver(far, inner["ifindex"])


async def test_a_datagram_arrives_where_a_socket_has_joined_on_the_same_link(
    stacks: tuple[Namespace, Receiver],
) -> None:
    machine, container = stacks
    receivers = {"host": Receiver(machine, UPLINK), "bridge": container}
    on_uplink = await send_to_group(machine, UPLINK, GROUP, PORT, receivers)
    assert (set(on_uplink.senders), on_uplink.errors) == ({"host"}, {})
    assert on_uplink.senders["host"].startswith("192.0.2.2:")
    on_bridge = await send_to_group(machine, BRIDGE, GROUP, PORT, receivers)
    assert (set(on_bridge.senders), on_bridge.errors) == ({"bridge"}, {})
    assert on_bridge.senders["bridge"].startswith("198.51.100.1:")


async def test_a_receiver_that_cannot_take_part_has_a_reason(stacks: tuple[Namespace, Receiver]) -> None:
    machine, container = stacks
    gone = container.namespace.duplicate()
    gone.close()
    receivers = {
        "host": Receiver(machine, UPLINK),
        "gone": Receiver(gone, 1),
        "other": Receiver(container.namespace, MISSING),
    }
    arrived = await send_to_group(machine, UPLINK, GROUP, PORT, receivers)
    assert set(arrived.senders) == {"host"}
    assert arrived.errors == {
        "gone": "The namespace is gone.",
        "other": f"The group {GROUP} cannot be joined: No such device.",
    }


async def test_a_datagram_that_cannot_be_sent_is_the_reason_at_each_receiver(
    stacks: tuple[Namespace, Receiver],
) -> None:
    machine, _container = stacks
    arrived = await send_to_group(machine, MISSING, GROUP, PORT, {"host": Receiver(machine, UPLINK)})
    assert arrived.senders == {}
    assert arrived.errors["host"].startswith("The datagram cannot be sent: ")


async def test_a_datagram_has_arrived_although_the_loop_is_late() -> None:
    loop = asyncio.get_running_loop()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiving = asyncio.create_task(_receive(receiver, b"token", 0.01))
        await others_run()
        waits_until = loop.time() + 0.02
        sender.sendto(b"token", receiver.getsockname())
        until(lambda: select.select([receiver], [], [], 0)[0] and loop.time() > waits_until)
        assert (await receiving).startswith("127.0.0.1:")
