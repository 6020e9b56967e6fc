"""Without docker-proxy the kernel leads a container back to itself."""

from dashboard.core.claims.engine_facts import PODMAN, SLIRP4NETNS, SLIRP4NETNS_LOOPBACK, EngineCondition
from dashboard.core.claims.exchanges import Ask, answers, judge_exchanges, observe_exchanges_on
from dashboard.core.claims.model import Claim, Expectation, Need, Topic

DAEMON = "dockerd --userland-proxy=false"
LINES = ("docker run -d --name web -p 8169:80 IMAGE",)

CLAIM = Claim(
    id="proxy-off-hairpin",
    topic=Topic.PUBLISHING,
    statement="With userland-proxy=false a container reaches its own published port as well: the kernel "
    "translates the request, and the server sees the gateway.",
    source="dockerd(8), --userland-proxy; iptables-extensions(8), MASQUERADE",
    observe=observe_exchanges_on(DAEMON, LINES, Ask("web", "{machine}", 8169)),
    judge=judge_exchanges(answers("web.gateway")),
    lines=(DAEMON, *LINES, "docker exec web wget -O- http://{machine}:8169/"),
    needs=frozenset({Need.OWN_HOST}),
    mutation={"-p 8169:80": "-p 127.0.0.1:8169:80"},
    otherwise=(
        Expectation(SLIRP4NETNS, not_testable=SLIRP4NETNS_LOOPBACK),
        Expectation(EngineCondition(icc=False), not_testable="With icc=false a rule drops packets back to the bridge."),
        Expectation(
            EngineCondition(iptables=False),
            not_testable="With iptables=false and no docker-proxy nothing is published.",
        ),
        Expectation(PODMAN, not_testable="Podman has no dockerd with this option."),
    ),
)
