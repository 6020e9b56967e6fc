"""Requests from another machine to a container's own address."""

from dashboard.core.claims.constructors import exchange_claim
from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.exchanges import NEIGHBOUR_ADDRESS, NO_CONNECTION, Ask, answers, judge_exchanges
from dashboard.core.claims.model import Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

CLAIMS = (
    exchange_claim(
        "unpublished-from-lan",
        Topic.PUBLISHING,
        statement="Another machine with a route to a bridge network cannot use a port that is not published.",
        source="Docker documentation, “Port publishing and mapping”, direct routing",
        lines=(
            "docker network create lab",
            "docker run -d --name web --network {lab} IMAGE",
        ),
        asks=(Ask(NEIGHBOUR, "web.address", 80, routed=True),),
        expected=(NO_CONNECTION,),
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
    ),
    exchange_claim(
        "nat-unprotected",
        Topic.PUBLISHING,
        statement="In gateway mode nat-unprotected, another machine with a route reaches every port of a container, "
        "published or not.",
        source="Docker documentation, “Port publishing and mapping”, gateway modes",
        lines=(
            "docker network create -o com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected lab",
            "docker run -d --name web --network {lab} IMAGE",
        ),
        asks=(Ask(NEIGHBOUR, "web.address", 80, routed=True),),
        expected=(answers(NEIGHBOUR_ADDRESS),),
        needs=frozenset({Need.PRIVATE}),
        mutation={"=nat-unprotected": "=nat"},
        otherwise=(
            Expectation(EngineCondition(before=(28, 0)), not_testable="nat-unprotected exists since Engine 28.0."),
            Expectation(EngineCondition(iptables=False), not_testable="With iptables=false no rule drops anything."),
            Expectation(PODMAN, not_testable="Podman does not have gateway modes."),
        ),
    ),
)
