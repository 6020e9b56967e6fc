"""A bridge container reaches the machine's own address."""

from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN, ROOTLESS_PODMAN_BRIDGES
from dashboard.core.claims.exchanges import Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic

LINES = (
    "python3 -m http.server --bind {machine} 8151",
    "docker run -d --name client IMAGE sleep 60",
)

CLAIM = Claim(
    id="bridge-reaches-lan-address",
    topic=Topic.BRIDGE,
    statement="A bridge container reaches a service of the machine at the machine's own address, and the service "
    "sees the container's address.",
    source="iptables(8): packets for the machine are not masqueraded",
    observe=observe_exchanges(LINES, Ask("client", "{machine}", 8151)),
    judge=judge_exchanges(answers("client.address")),
    lines=(*LINES, "docker exec client wget -O- http://{machine}:8151/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"--name client IMAGE": "--name client --network none IMAGE"},
    otherwise=(Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),),
)
