"""A network can publish on 127.0.0.1 by default."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR
from dashboard.core.modes import MACHINE

LINES = (
    "docker network create -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 lab",
    "docker run -d --name web --network {lab} -p 8160:80 IMAGE",
)

CLAIM = Claim(
    id="host-binding-option",
    topic=Topic.PUBLISHING,
    statement="On a network with host_binding_ipv4=127.0.0.1 a bare -p publishes on the machine's loopback only.",
    source="Docker documentation, “Bridge network driver”, com.docker.network.bridge.host_binding_ipv4",
    observe=observe_exchanges(LINES, Ask(MACHINE, "127.0.0.1", 8160), Ask(NEIGHBOUR, "{machine}", 8160)),
    judge=judge_exchanges(answers(), NO_CONNECTION),
    lines=(*LINES, "curl http://127.0.0.1:8160/", "curl http://{machine}:8160/  # on another machine"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"host_binding_ipv4=127.0.0.1": "host_binding_ipv4=0.0.0.0"},
    otherwise=(
        Expectation(PODMAN, not_testable="Podman does not have this option."),
        Expectation(
            EngineCondition(gateway_mode="routed"), not_testable="A routed network publishes no port on the machine."
        ),
    ),
)
