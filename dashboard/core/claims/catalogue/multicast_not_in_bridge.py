"""Multicast from the LAN does not reach a bridge."""

from dashboard.core.claims.judges import judge_lost
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.observers import observe_datagram
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = ("docker run -d --name app --network bridge IMAGE sleep 60",)

CLAIM = Claim(
    id="multicast-not-in-bridge",
    topic=Topic.BRIDGE,
    statement="A container in bridge mode does not receive multicast from other machines: the machine does not "
    "route it.",
    source="Docker documentation, “Host network driver”; RFC 1112",
    observe=observe_datagram(LINES, NEIGHBOUR, "app", "239.1.2.4", 8181),
    judge=judge_lost,
    lines=(*LINES, "socat - UDP4-DATAGRAM:239.1.2.4:8181  # on another machine"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network bridge": "--network host"},
)
