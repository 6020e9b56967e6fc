"""A container reaches the published port of another one at the machine's address."""

from dashboard.core.claims.engine_facts import PODMAN, SLIRP4NETNS, SLIRP4NETNS_LOOPBACK, EngineCondition
from dashboard.core.claims.exchanges import Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic

LINES = (
    "docker run -d --name web -p 8167:80 IMAGE",
    "docker run -d --name client IMAGE sleep 60",
)

CLAIM = Claim(
    id="hairpin-same-network",
    topic=Topic.PUBLISHING,
    statement="A container reaches the published port of another container on the same bridge at the machine's "
    "address; the server sees the gateway instead of the client.",
    source="Moby, cmd/docker-proxy and nat rules of a bridge",
    exact="Requests to the container's own address, or to its name on a user-defined network, are not translated.",
    observe=observe_exchanges(LINES, Ask("client", "{machine}", 8167)),
    judge=judge_exchanges(answers("web.gateway")),
    lines=(*LINES, "docker exec client wget -O- http://{machine}:8167/"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"-p 8167:80": "-p 127.0.0.1:8167:80"},
    otherwise=(
        Expectation(SLIRP4NETNS, not_testable=SLIRP4NETNS_LOOPBACK),
        Expectation(PODMAN, not_testable="Podman has no docker-proxy."),
        Expectation(
            EngineCondition(userland_proxy=False),
            statement="Without docker-proxy the kernel translates (DNAT) the request and does not masquerade it: the "
            "server sees the client.",
            judge=judge_exchanges(answers("client.address")),
        ),
    ),
)
