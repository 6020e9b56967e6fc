"""Broadcast from the LAN does not reach a bridge."""

from dashboard.core.claims.judges import judge_lost
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.observers import observe_datagram
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = ("docker run -d --name app --network bridge IMAGE sleep 60",)

CLAIM = Claim(
    id="broadcast-not-in-bridge",
    topic=Topic.BRIDGE,
    statement="A container in bridge mode does not receive broadcast from the LAN.",
    source="RFC 919; Docker documentation, “Bridge network driver”",
    exact="If the UDP port is published, the broadcast arrives through docker-proxy, from the gateway.",
    observe=observe_datagram(LINES, NEIGHBOUR, "app", "192.0.2.255", 8186),
    judge=judge_lost,
    lines=(*LINES, "socat - UDP4-DATAGRAM:192.0.2.255:8186,broadcast  # on another machine"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network bridge": "--network host"},
)
