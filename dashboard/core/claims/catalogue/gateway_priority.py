"""gw-priority decides which network provides the default route."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.judges import judge_default_network
from dashboard.core.claims.model import Claim, Expectation, Topic
from dashboard.core.claims.observers import observe_container_and_state

LINES = (
    "docker network create zulu",
    "docker network create alpha",
    "docker run -d --network name={zulu},gw-priority=1 --network {alpha} IMAGE sleep 60",
)


CLAIM = Claim(
    id="gateway-priority",
    topic=Topic.BRIDGE,
    statement="With gw-priority the network with the highest priority provides the default route, whatever its name.",
    source="Docker documentation, “Networking overview”: Connecting to multiple networks",
    observe=observe_container_and_state(*LINES),
    judge=judge_default_network("zulu"),
    lines=(*LINES, "docker exec ID ip route"),
    mutation={"gw-priority=1": "gw-priority=0"},
    otherwise=(
        Expectation(EngineCondition(before=(28, 0)), not_testable="gw-priority exists since Engine 28.0."),
        Expectation(PODMAN, not_testable="Podman does not have gw-priority."),
    ),
)
