"""The machine cannot reach its macvlan containers."""

from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR
from dashboard.core.modes import MACHINE

LINES = (
    "docker network create -d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0 lab",
    "docker run -d --name web --network {lab} --ip 192.0.2.52 IMAGE",
)

CLAIM = Claim(
    id="machine-not-macvlan",
    topic=Topic.BRIDGE,
    statement="The machine cannot reach a macvlan container through the parent interface, although other machines can.",
    source="Docker documentation, “Macvlan network driver”; ip-link(8), macvlan",
    observe=observe_exchanges(LINES, Ask(NEIGHBOUR, "192.0.2.52", 80), Ask(MACHINE, "192.0.2.52", 80)),
    judge=judge_exchanges(answers(), NO_CONNECTION),
    lines=(*LINES, "curl http://192.0.2.52/  # on another machine", "curl http://192.0.2.52/"),
    needs=frozenset({Need.ALONE}),
    mutation={
        "-d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0": "--subnet 10.213.203.0/24",
        "--ip 192.0.2.52": "--ip 10.213.203.52",
    },
)
