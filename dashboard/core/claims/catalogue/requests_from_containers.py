"""Claims about what containers reach on the machine, on their own loopback, in a shared namespace and on another
network."""

from dashboard.core.claims.constructors import exchange_claim
from dashboard.core.claims.engine_facts import (
    ROOTLESS_PODMAN,
    ROOTLESS_PODMAN_BRIDGES,
    SLIRP4NETNS,
    SLIRP4NETNS_LOOPBACK,
    EngineCondition,
)
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers, judge_exchanges
from dashboard.core.claims.model import Expectation, Need, Topic
from dashboard.core.modes import MACHINE

CLAIMS = (
    exchange_claim(
        "bridge-reaches-host-mode",
        Topic.BRIDGE,
        statement="A bridge container reaches a server in host mode at its gateway's address, where the machine "
        "answers.",
        source="Docker documentation, “Host network driver”; docker-run(1), --add-host",
        lines=(
            "docker run -d --name web --network host -e NETMODES_PORT=8154 IMAGE",
            "docker run -d --name client IMAGE sleep 60",
        ),
        asks={Ask("client", "client.gateway", 8154): answers()},
        mutation={"-e NETMODES_PORT=8154": "-e NETMODES_PORT=8154 -e NETMODES_ADDRESS=127.0.0.1"},
        otherwise=(Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),),
    ),
    exchange_claim(
        "bridge-reaches-lan-address",
        Topic.BRIDGE,
        statement="A bridge container reaches a service of the machine at the machine's own address, and the service "
        "sees the container's address.",
        source="iptables(8): packets for the machine are not masqueraded",
        lines=(
            "python3 -m http.server --bind {machine} 8151",
            "docker run -d --name client IMAGE sleep 60",
        ),
        asks={Ask("client", "{machine}", 8151): answers("client.address")},
        mutation={"--name client IMAGE": "--name client --network none IMAGE"},
        otherwise=(Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),),
    ),
    exchange_claim(
        "gateway-reaches-machine",
        Topic.BRIDGE,
        statement="A bridge container reaches a service of the machine at its gateway's address, if the service "
        "listens on all addresses.",
        source="Docker documentation, “Bridge network driver”; docker-run(1), --add-host",
        lines=(
            "python3 -m http.server --bind 0.0.0.0 8150",
            "docker run -d --name client IMAGE sleep 60",
        ),
        asks={Ask("client", "client.gateway", 8150): answers("client.address")},
        mutation={"0.0.0.0": "127.0.0.1"},  # noqa: S104
        otherwise=(Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),),
    ),
    exchange_claim(
        "host-mode-own-port",
        Topic.PUBLISHING,
        statement="With --network host -p 8155:8156 nothing listens on port 8155: the server stays on its own port "
        "8156.",
        source="Docker documentation, “Host network driver”",
        exact="Configure the program itself to listen on another port.",
        lines=("docker run -d --name web --network host -p 8155:8156 -e NETMODES_PORT=8156 IMAGE",),
        asks={Ask(MACHINE, "127.0.0.1", 8155): NO_CONNECTION, Ask(MACHINE, "127.0.0.1", 8156): answers()},
        mutation={"--network host": "--network bridge"},
    ),
    exchange_claim(
        "host-mode-reaches-published",
        Topic.PUBLISHING,
        statement="A container in host mode reaches the published port of a bridge container at 127.0.0.1.",
        source="Docker documentation, “Host network driver”",
        lines=(
            "docker run -d --name web -p 8153:80 IMAGE",
            "docker run -d --name client --network host IMAGE sleep 60",
        ),
        asks={Ask("client", "127.0.0.1", 8153): answers()},
        mutation={"--network host": "--network bridge"},
    ),
    exchange_claim(
        "own-loopback-inside",
        Topic.BRIDGE,
        statement="127.0.0.1 in a bridge container is the container itself: a service of the machine is not reachable "
        "there, even if it listens on all addresses.",
        source="network_namespaces(7)",
        lines=(
            "python3 -m http.server --bind 0.0.0.0 8152",
            "docker run -d --name client --network bridge IMAGE sleep 60",
        ),
        asks={Ask("client", "127.0.0.1", 8152): NO_CONNECTION},
        mutation={"--network bridge": "--network host"},
    ),
    exchange_claim(
        "guest-uses-owners-ports",
        Topic.BRIDGE,
        statement="With --network container: the ports that the owner publishes also serve the guest's programs.",
        source="docker-run(1), --network container:",
        exact="-p on the guest is refused: publish its ports on the owner.",
        lines=(
            "docker run -d --name owner -p 8157:8158 IMAGE sleep 60",
            "docker run -d --name guest --network container:{owner} -e NETMODES_PORT=8158 IMAGE",
        ),
        asks={Ask(MACHINE, "{machine}", 8157): answers()},
        mutation={"--network container:{owner}": "--network bridge"},
        otherwise=(Expectation(SLIRP4NETNS, not_testable=SLIRP4NETNS_LOOPBACK),),
    ),
    exchange_claim(
        "loopback-from-host",
        Topic.INTERFERENCE,
        statement="A container in host mode reaches services that the machine binds to 127.0.0.1, such as a database.",
        source="Docker documentation, “Host network driver”; network_namespaces(7)",
        exact="“Bound to loopback, so it is safe” does not apply to containers in host mode.",
        lines=(
            "python3 -m http.server --bind 127.0.0.1 8115",
            "docker run -d --name client --network host IMAGE sleep 60",
        ),
        asks={Ask("client", "127.0.0.1", 8115): answers()},
        mutation={"--network host": "--network bridge"},
    ),
    exchange_claim(
        "loopback-not-from-bridge",
        Topic.INTERFERENCE,
        statement="A container in bridge mode cannot reach a service that the machine binds to 127.0.0.1, by any "
        "address.",
        source="network_namespaces(7)",
        exact="Bind it to the gateway's address as well, or use host.docker.internal with a service that listens "
        "there.",
        lines=(
            "python3 -m http.server --bind 127.0.0.1 8116",
            "docker run -d --name client --network bridge IMAGE sleep 60",
        ),
        asks={Ask("client", address, 8116): NO_CONNECTION for address in ("127.0.0.1", "{machine}", "client.gateway")},
        mutation={"--network bridge": "--network host"},
    ),
    exchange_claim(
        "bridges-apart",
        Topic.BRIDGE,
        statement="Containers on different bridge networks cannot reach each other's addresses.",
        source="Docker documentation, “Bridge network driver”; Moby, DOCKER-ISOLATION rules",
        exact="From the machine, and so from host mode, all of them are reachable. Seen on 26.1.5: while another "
        "network is created or removed, connections between two networks succeed for milliseconds; so this claim runs "
        "alone.",
        lines=(
            "docker network create one",
            "docker network create two",
            "docker run -d --name web --network {one} IMAGE",
            "docker run -d --name client --network {two} IMAGE sleep 60",
        ),
        asks={Ask("client", "web.address", 80): NO_CONNECTION},
        needs=frozenset({Need.ALONE}),
        mutation={"--network {two}": "--network {one}"},
        otherwise=(
            Expectation(
                EngineCondition(iptables=False),
                statement="Containers on different bridge networks reach each other's addresses: no rule separates "
                "them.",
                judge=judge_exchanges(answers()),
                mutation={"--network {two}": "--network none"},
            ),
        ),
    ),
)
