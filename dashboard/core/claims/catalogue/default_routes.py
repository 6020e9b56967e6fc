"""Which network provides the default route of a container on several."""

from dashboard.core.claims.constructors import ONE_NETWORK
from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.judges import judge_default_network
from dashboard.core.claims.model import Claim, Expectation, Topic
from dashboard.core.claims.observers import observe_container_and_state

BY_NAME = (
    "docker network create zulu",
    "docker network create alpha",
    "docker run -d --network {zulu} --network {alpha} IMAGE sleep 60",
)
BY_PRIORITY = (
    "docker network create zulu",
    "docker network create alpha",
    "docker run -d --network name={zulu},gw-priority=1 --network {alpha} IMAGE sleep 60",
)


CLAIMS = (
    Claim(
        id="two-networks-gateway",
        topic=Topic.BRIDGE,
        statement="For a container on two networks, the network with the alphabetically first name provides the "
        "default route, in whichever order they are listed.",
        source="Docker documentation, “Networking overview”: Connecting to multiple networks; Moby, "
        "libnetwork/sandbox.go",
        exact="Since Engine 28.0 gw-priority decides, and the name only if priorities are equal.",
        observe=observe_container_and_state(*BY_NAME),
        judge=judge_default_network("alpha"),
        lines=(*BY_NAME, "docker exec ID ip route"),
        mutation={" --network {alpha}": ""},
        otherwise=(ONE_NETWORK, Expectation(PODMAN, not_testable="Podman sets a default route for each network.")),
    ),
    Claim(
        id="gateway-priority",
        topic=Topic.BRIDGE,
        statement="With gw-priority the network with the highest priority provides the default route, whatever its "
        "name.",
        source="Docker documentation, “Networking overview”: Connecting to multiple networks",
        observe=observe_container_and_state(*BY_PRIORITY),
        judge=judge_default_network("zulu"),
        lines=(*BY_PRIORITY, "docker exec ID ip route"),
        mutation={"gw-priority=1": "gw-priority=0"},
        otherwise=(
            Expectation(EngineCondition(before=(28, 0)), not_testable="gw-priority exists since Engine 28.0."),
            Expectation(PODMAN, not_testable="Podman does not have gw-priority."),
        ),
    ),
)
