"""Multicast from the LAN reaches host mode."""

from dashboard.core.claims.engine_facts import FIREWALLD, FIREWALLD_ZONE
from dashboard.core.claims.exchanges import NEIGHBOUR_ADDRESS
from dashboard.core.claims.judges import judge_arrived
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.observers import observe_datagram
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = ("docker run -d --name app --network host IMAGE sleep 60",)

CLAIM = Claim(
    id="multicast-in-host-mode",
    topic=Topic.BRIDGE,
    statement="A container in host mode receives multicast from other machines, as mDNS and SSDP require.",
    source="Docker documentation, “Host network driver”; RFC 1112",
    observe=observe_datagram(LINES, NEIGHBOUR, "app", "239.1.2.3", 8180),
    judge=judge_arrived(NEIGHBOUR_ADDRESS),
    lines=(*LINES, "socat - UDP4-DATAGRAM:239.1.2.3:8180  # on another machine"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--network host": "--network bridge"},
    otherwise=(Expectation(FIREWALLD, not_testable=FIREWALLD_ZONE),),
)
