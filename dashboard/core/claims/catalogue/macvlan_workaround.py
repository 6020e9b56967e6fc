"""A macvlan interface of the machine reaches macvlan containers."""

from dashboard.core.claims.exchanges import Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Need, Topic
from dashboard.core.modes import MACHINE

LINES = (
    "docker network create -d macvlan --subnet 192.0.2.0/24 --gateway 192.0.2.1 -o parent=eth0 lab",
    "docker run -d --name web --network {lab} --ip 192.0.2.53 IMAGE",
    "ip link add shim link eth0 type macvlan mode bridge",
    "ip address add 192.0.2.60/32 dev shim",
    "ip link set shim up",
    "ip route add 192.0.2.53/32 dev shim",
)

CLAIM = Claim(
    id="macvlan-workaround",
    topic=Topic.BRIDGE,
    statement="With its own macvlan interface on the same parent, and a route through it, the machine reaches its "
    "macvlan containers.",
    source="ip-link(8), macvlan; Docker documentation, “Macvlan network driver”",
    observe=observe_exchanges(LINES, Ask(MACHINE, "192.0.2.53", 80)),
    judge=judge_exchanges(answers("192.0.2.60")),
    lines=(*LINES, "curl http://192.0.2.53/"),
    needs=frozenset({Need.ALONE}),
    mutation={"ip route add 192.0.2.53/32": "ip route add 192.0.2.54/32"},
)
