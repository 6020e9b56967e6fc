"""Other machines reach a macvlan container without -p."""

from dashboard.core.claims.exchanges import NEIGHBOUR_ADDRESS, Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker network create -d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0 lab",
    "docker run -d --name web --network {lab} --ip 192.0.2.51 IMAGE",
)

CLAIM = Claim(
    id="macvlan-from-lan",
    topic=Topic.BRIDGE,
    statement="Other machines reach a macvlan container at its own address, without -p and without a route.",
    source="Docker documentation, “Macvlan network driver”",
    observe=observe_exchanges(LINES, Ask(NEIGHBOUR, "192.0.2.51", 80)),
    judge=judge_exchanges(answers(NEIGHBOUR_ADDRESS)),
    lines=(*LINES, "curl http://192.0.2.51/  # on another machine"),
    needs=frozenset({Need.ALONE}),
    mutation={
        "-d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0": "--subnet 10.213.203.0/24",
        "--ip 192.0.2.51": "--ip 10.213.203.51",
    },
)
