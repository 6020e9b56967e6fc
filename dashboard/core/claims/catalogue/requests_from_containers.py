"""What containers reach on the machine, on their own loopback and in a shared namespace."""

from dashboard.core.claims.constructors import exchange_claim
from dashboard.core.claims.engine_facts import (
    ROOTLESS_PODMAN,
    ROOTLESS_PODMAN_BRIDGES,
    SLIRP4NETNS,
    SLIRP4NETNS_LOOPBACK,
)
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers
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
        asks=(Ask("client", "client.gateway", 8154),),
        expected=(answers(),),
        needs=frozenset({Need.PRIVATE}),
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
        asks=(Ask("client", "{machine}", 8151),),
        expected=(answers("client.address"),),
        needs=frozenset({Need.PRIVATE}),
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
        asks=(Ask("client", "client.gateway", 8150),),
        expected=(answers("client.address"),),
        needs=frozenset({Need.PRIVATE}),
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
        asks=(Ask(MACHINE, "127.0.0.1", 8155), Ask(MACHINE, "127.0.0.1", 8156)),
        expected=(NO_CONNECTION, answers()),
        needs=frozenset({Need.PRIVATE}),
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
        asks=(Ask("client", "127.0.0.1", 8153),),
        expected=(answers(),),
        needs=frozenset({Need.PRIVATE}),
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
        asks=(Ask("client", "127.0.0.1", 8152),),
        expected=(NO_CONNECTION,),
        needs=frozenset({Need.PRIVATE}),
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
        asks=(Ask(MACHINE, "{machine}", 8157),),
        expected=(answers(),),
        needs=frozenset({Need.PRIVATE}),
        mutation={"--network container:{owner}": "--network bridge"},
        otherwise=(Expectation(SLIRP4NETNS, not_testable=SLIRP4NETNS_LOOPBACK),),
    ),
)
