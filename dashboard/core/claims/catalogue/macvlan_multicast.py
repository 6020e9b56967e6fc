"""A macvlan container receives multicast."""

from dashboard.core.claims.exchanges import NEIGHBOUR_ADDRESS
from dashboard.core.claims.judges import judge_arrived
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.observers import observe_datagram
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker network create -d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0 lab",
    "docker run -d --name app --network {lab} --ip 192.0.2.56 IMAGE sleep 60",
)

CLAIM = Claim(
    id="macvlan-multicast",
    topic=Topic.BRIDGE,
    statement="A macvlan container receives multicast from other machines: it is on the LAN itself.",
    source="Docker documentation, “Macvlan network driver”; RFC 1112",
    observe=observe_datagram(LINES, NEIGHBOUR, "app", "239.1.2.7", 8187),
    judge=judge_arrived(NEIGHBOUR_ADDRESS),
    lines=(*LINES, "socat - UDP4-DATAGRAM:239.1.2.7:8187  # on another machine"),
    needs=frozenset({Need.ALONE}),
    mutation={
        "-d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0": "--subnet 10.213.206.0/24",
        "--ip 192.0.2.56": "--ip 10.213.206.56",
    },
)
