"""The network with the first name provides the default route."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.judges import judge_default_network
from dashboard.core.claims.model import Claim, Expectation, Topic
from dashboard.core.claims.observers import observe_container_and_state

LINES = (
    "docker network create zulu",
    "docker network create alpha",
    "docker run -d --network {zulu} --network {alpha} IMAGE sleep 60",
)


CLAIM = Claim(
    id="two-networks-gateway",
    topic=Topic.BRIDGE,
    statement="For a container on two networks, the network with the alphabetically first name provides the default "
    "route, in whichever order they are listed.",
    source="Docker documentation, “Networking overview”: Connecting to multiple networks; Moby, libnetwork/sandbox.go",
    exact="Since Engine 28.0 gw-priority decides, and the name only if priorities are equal.",
    observe=observe_container_and_state(*LINES),
    judge=judge_default_network("alpha"),
    lines=(*LINES, "docker exec ID ip route"),
    mutation={" --network {alpha}": ""},
    otherwise=(
        Expectation(
            EngineCondition(before_api=(1, 44)), not_testable="Before API 1.44 a container is created with one network."
        ),
        Expectation(PODMAN, not_testable="Podman sets a default route for each network."),
    ),
)
