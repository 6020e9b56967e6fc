"""Publishing port 5353 does not deliver mDNS."""

from dashboard.core.claims.judges import judge_lost
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.observers import observe_datagram
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = ("docker run -d --name app -p 8184:8184/udp IMAGE sleep 60",)

CLAIM = Claim(
    id="mdns-not-published",
    topic=Topic.PUBLISHING,
    statement="Publishing a UDP port does not deliver multicast: a datagram for the mDNS group 224.0.0.251 does "
    "not reach the container.",
    source="RFC 6762; iptables-extensions(8), addrtype",
    observe=observe_datagram(LINES, NEIGHBOUR, "app", "224.0.0.251", 8184),
    judge=judge_lost,
    lines=(*LINES, "socat - UDP4-DATAGRAM:224.0.0.251:8184  # on another machine"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"-p 8184:8184/udp": "--network host"},
)
