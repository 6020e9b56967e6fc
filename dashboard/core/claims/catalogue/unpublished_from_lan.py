"""A route does not open unpublished ports."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker network create lab",
    "docker run -d --name web --network {lab} IMAGE",
)

CLAIM = Claim(
    id="unpublished-from-lan",
    topic=Topic.PUBLISHING,
    statement="Another machine with a route to a bridge network cannot use a port that is not published.",
    source="Docker documentation, “Port publishing and mapping”, direct routing",
    observe=observe_exchanges(LINES, Ask(NEIGHBOUR, "web.address", 80, routed=True)),
    judge=judge_exchanges(NO_CONNECTION),
    lines=(
        *LINES,
        "ip route add SUBNET via MACHINE  # on another machine",
        "curl http://ADDRESS/  # on another machine",
    ),
    needs=frozenset({Need.PRIVATE}),
    mutation={"create lab": "create -o com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected lab"},
    otherwise=(
        Expectation(
            EngineCondition(before=(28, 0)),
            statement="Another machine with a route to a bridge network cannot use a port that is not published: "
            "the policy of FORWARD drops the packets.",
            judge=judge_exchanges(NO_CONNECTION),
            mutation={" --network {lab} IMAGE": " --network {lab} -p 8171:80 IMAGE"},
        ),
        Expectation(EngineCondition(iptables=False), not_testable="With iptables=false no rule drops anything."),
        Expectation(PODMAN, not_testable="Podman does not drop packets that are routed to a container."),
        Expectation(
            EngineCondition(gateway_mode="routed"),
            statement="Another machine with a route to a routed bridge network cannot use a port that is not "
            "published.",
            judge=judge_exchanges(NO_CONNECTION),
            mutation={" --network {lab} IMAGE": " --network {lab} -p 8171:80 IMAGE"},
        ),
    ),
)
