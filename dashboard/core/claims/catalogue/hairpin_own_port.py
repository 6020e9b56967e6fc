"""A container reaches its own published port."""

from dashboard.core.claims.engine_facts import PODMAN, SLIRP4NETNS, SLIRP4NETNS_LOOPBACK, EngineCondition
from dashboard.core.claims.exchanges import Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic

LINES = ("docker run -d --name web -p 8166:80 IMAGE",)

CLAIM = Claim(
    id="hairpin-own-port",
    topic=Topic.PUBLISHING,
    statement="A container reaches its own published port at the machine's address through docker-proxy, so the "
    "server sees the gateway.",
    source="Moby, cmd/docker-proxy and nat rules of a bridge",
    observe=observe_exchanges(LINES, Ask("web", "{machine}", 8166)),
    judge=judge_exchanges(answers("web.gateway")),
    lines=(*LINES, "docker exec web wget -O- http://{machine}:8166/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"-p 8166:80": "-p 127.0.0.1:8166:80"},
    otherwise=(
        Expectation(SLIRP4NETNS, not_testable=SLIRP4NETNS_LOOPBACK),
        Expectation(
            EngineCondition(userland_proxy=False),
            statement="Without docker-proxy a container reaches its own published port at the machine's address too: "
            "the kernel translates the request, and the server sees the gateway.",
            judge=judge_exchanges(answers("web.gateway")),
        ),
        Expectation(PODMAN, not_testable="Podman has no docker-proxy."),
    ),
)
