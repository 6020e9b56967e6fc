"""Claims about requests from the machine, and from another machine, to a container's own address."""

from dashboard.core.claims.constructors import exchange_claim
from dashboard.core.claims.engine_facts import PODMAN, ROOTLESS_PODMAN, ROOTLESS_PODMAN_BRIDGES, EngineCondition
from dashboard.core.claims.exchanges import NEIGHBOUR_ADDRESS, NO_CONNECTION, Ask, answers, judge_exchanges
from dashboard.core.claims.model import Expectation, Topic
from dashboard.core.claims.testbed import NEIGHBOUR
from dashboard.core.modes import MACHINE

REACHABLE = judge_exchanges(answers())

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
        asks={Ask(NEIGHBOUR, "web.address", 80, routed=True): NO_CONNECTION},
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
        asks={Ask(NEIGHBOUR, "web.address", 80, routed=True): answers(NEIGHBOUR_ADDRESS)},
        mutation={"=nat-unprotected": "=nat"},
        otherwise=(
            Expectation(EngineCondition(before=(28, 0)), not_testable="nat-unprotected exists since Engine 28.0."),
            Expectation(EngineCondition(iptables=False), not_testable="With iptables=false no rule drops anything."),
            Expectation(PODMAN, not_testable="Podman does not have gateway modes."),
        ),
    ),
    exchange_claim(
        "direct-routing",
        Topic.PUBLISHING,
        statement="Another machine that has a route to a bridge network cannot use a container's own address, not even "
        "on a published port.",
        source="Docker documentation, “Packet filtering and firewalls”, direct routing; release notes of 28.0",
        exact="The machine drops packets for a container's own address that arrive on another interface. Gateway mode "
        "routed or nat-unprotected and allow-direct-routing permit them; the network option trusted_host_interfaces "
        "(28.2) permits them from the interfaces that it names.",
        lines=(
            "docker network create lab",
            "docker run -d --name web --network {lab} -p 8122:80 IMAGE",
        ),
        asks={Ask(NEIGHBOUR, "web.address", 80, routed=True): NO_CONNECTION},
        mutation={"create lab": "create -o com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected lab"},
        otherwise=(
            Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),
            Expectation(
                PODMAN,
                statement="Another machine that has a route to a bridge network reaches a container's own address on a "
                "published port.",
                judge=REACHABLE,
            ),
            Expectation(
                EngineCondition(before=(28, 0)),
                statement="Another machine that has a route to a bridge network reaches a container's own address on a "
                "published port.",
                judge=REACHABLE,
                exact="A rule in FORWARD accepts published ports from every interface. Since 28.0 the machine drops "
                "them.",
                mutation={" -p 8122:80": ""},
            ),
            Expectation(
                EngineCondition(gateway_mode="routed"),
                statement="Another machine that has a route to a routed bridge network reaches a container's own "
                "address on a published port.",
                judge=REACHABLE,
                mutation={" -p 8122:80": ""},
            ),
            Expectation(
                EngineCondition(iptables=False),
                statement="Another machine that has a route to a bridge network reaches a container's own address: no "
                "rule drops anything.",
                judge=REACHABLE,
                mutation={"--network {lab} -p 8122:80": "--network none"},
            ),
        ),
    ),
    exchange_claim(
        "machine-reaches-bridge",
        Topic.BRIDGE,
        statement="The machine reaches a bridge container at its own address, without -p; the server sees docker0's "
        "address.",
        source="Docker documentation, “Bridge network driver”",
        lines=("docker run -d --name web --network bridge IMAGE",),
        asks={Ask(MACHINE, "web.address", 80): answers("web.gateway")},
        needs=frozenset(),
        mutation={"--network bridge": "--network none"},
        otherwise=(
            Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),
            Expectation(
                PODMAN,
                statement="The machine reaches a bridge container at its own address, without -p; the server sees the "
                "address of podman0.",
                judge=judge_exchanges(answers("web.gateway")),
            ),
        ),
    ),
)
