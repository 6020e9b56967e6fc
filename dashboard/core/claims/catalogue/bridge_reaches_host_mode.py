"""A bridge container reaches a server in host mode at its gateway's address."""

from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN, ROOTLESS_PODMAN_BRIDGES
from dashboard.core.claims.exchanges import Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic

LINES = (
    "docker run -d --name web --network host -e NETMODES_PORT=8154 IMAGE",
    "docker run -d --name client IMAGE sleep 60",
)

CLAIM = Claim(
    id="bridge-reaches-host-mode",
    topic=Topic.BRIDGE,
    statement="A bridge container reaches a server in host mode at its gateway's address, where the machine answers.",
    source="Docker documentation, “Host network driver”; docker-run(1), --add-host",
    observe=observe_exchanges(LINES, Ask("client", "client.gateway", 8154)),
    judge=judge_exchanges(answers()),
    lines=(*LINES, "docker exec client wget -O- http://GATEWAY:8154/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"-e NETMODES_PORT=8154": "-e NETMODES_PORT=8154 -e NETMODES_ADDRESS=127.0.0.1"},
    otherwise=(Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),),
)
