"""Multicast does not leave a bridge."""

from dashboard.core.claims.judges import judge_lost
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.observers import observe_datagram
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = ("docker run -d --name app --network bridge IMAGE sleep 60",)

CLAIM = Claim(
    id="multicast-stays-in-bridge",
    topic=Topic.BRIDGE,
    statement="Multicast that a bridge container sends does not reach other machines, so the service is not "
    "discovered.",
    source="Docker documentation, “Host network driver”; RFC 1112",
    observe=observe_datagram(LINES, "app", NEIGHBOUR, "239.1.2.5", 8182),
    judge=judge_lost,
    lines=(*LINES, "docker exec app socat - UDP4-DATAGRAM:239.1.2.5:8182"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network bridge": "--network host"},
)
