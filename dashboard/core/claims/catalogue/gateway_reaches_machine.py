"""A bridge container reaches services of the machine at its gateway's address."""

from dashboard.core.claims.engine_facts import ROOTLESS_PODMAN, ROOTLESS_PODMAN_BRIDGES
from dashboard.core.claims.exchanges import Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic

LINES = (
    "python3 -m http.server --bind 0.0.0.0 8150",
    "docker run -d --name client IMAGE sleep 60",
)

CLAIM = Claim(
    id="gateway-reaches-machine",
    topic=Topic.BRIDGE,
    statement="A bridge container reaches a service of the machine at its gateway's address, if the service "
    "listens on all addresses.",
    source="Docker documentation, “Bridge network driver”; docker-run(1), --add-host",
    observe=observe_exchanges(LINES, Ask("client", "client.gateway", 8150)),
    judge=judge_exchanges(answers("client.address")),
    lines=(*LINES, "docker exec client wget -O- http://GATEWAY:8150/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"0.0.0.0": "127.0.0.1"},  # noqa: S104  the word of a line
    otherwise=(Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),),
)
