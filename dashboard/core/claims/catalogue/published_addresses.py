"""Claims about the addresses at which a published port answers."""

from dashboard.core.claims.constructors import NOTHING_PUBLISHED, exchange_claim
from dashboard.core.claims.engine_facts import PODMAN, ROOTLESS_PODMAN, SLIRP4NETNS, EngineCondition
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR
from dashboard.core.modes import MACHINE

ON_LOOPBACK = "docker run -d --name web -p 127.0.0.1:8196:80 IMAGE"

CLAIMS = (
    exchange_claim(
        "publish-ipv4-only",
        Topic.PUBLISHING,
        statement="-p 0.0.0.0:8164:80 publishes on IPv4 addresses only: [::1] refuses.",
        source="Docker documentation, “Bridge network driver”, default host binding address",
        lines=("docker run -d --name web -p 0.0.0.0:8164:80 IMAGE",),
        asks={Ask(MACHINE, "127.0.0.1", 8164): answers(), Ask(MACHINE, "::1", 8164): NO_CONNECTION},
        needs=frozenset({Need.PRIVATE, Need.IPV6}),
        mutation={"-p 0.0.0.0:8164:80": "-p 8164:80"},
        otherwise=(
            Expectation(
                EngineCondition(userland_proxy=False),
                not_testable="Without docker-proxy nothing answers at [::1] in any case.",
            ),
            Expectation(PODMAN, not_testable="Podman publishes on IPv4 addresses only in any case."),
        ),
    ),
    exchange_claim(
        "publish-ipv6-only",
        Topic.PUBLISHING,
        statement="-p [::1]:8165:80 publishes on the IPv6 loopback only: 127.0.0.1 refuses.",
        source="Docker documentation, “Port publishing and mapping”",
        lines=("docker run -d --name web -p [::1]:8165:80 IMAGE",),
        asks={Ask(MACHINE, "::1", 8165): answers(), Ask(MACHINE, "127.0.0.1", 8165): NO_CONNECTION},
        needs=frozenset({Need.PRIVATE, Need.IPV6}),
        mutation={"-p [::1]:8165:80": "-p 8165:80"},
        otherwise=(
            Expectation(
                EngineCondition(userland_proxy=False), not_testable="Without docker-proxy nothing answers at [::1]."
            ),
            Expectation(PODMAN, not_testable="Podman has no docker-proxy."),
        ),
    ),
    exchange_claim(
        "publish-on-lan-address",
        Topic.PUBLISHING,
        statement="A port published on one address of the machine answers only there, not at 127.0.0.1.",
        source="Docker documentation, “Port publishing and mapping”",
        lines=("docker run -d --name web -p {machine}:8162:80 IMAGE",),
        asks={Ask(MACHINE, "{machine}", 8162): answers(), Ask(MACHINE, "127.0.0.1", 8162): NO_CONNECTION},
        mutation={"-p {machine}:8162:80": "-p 8162:80"},
        otherwise=(
            Expectation(
                SLIRP4NETNS,
                not_testable="RootlessKit publishes on the machine, which does not have this address.",
            ),
        ),
    ),
    exchange_claim(
        "loopback-publish-not-from-lan",
        Topic.PUBLISHING,
        statement="A port published on 127.0.0.1 answers on the machine, but another machine cannot connect to it at "
        "the machine's address.",
        source="Docker documentation, “Port publishing and mapping”",
        lines=("docker run -d --name web -p 127.0.0.1:8159:80 IMAGE",),
        asks={Ask(MACHINE, "127.0.0.1", 8159): answers(), Ask(NEIGHBOUR, "{machine}", 8159): NO_CONNECTION},
        mutation={"-p 127.0.0.1:8159:80": "-p 8159:80"},
    ),
    exchange_claim(
        "host-binding-option",
        Topic.PUBLISHING,
        statement="On a network with host_binding_ipv4=127.0.0.1 a bare -p publishes on the machine's loopback only.",
        source="Docker documentation, “Bridge network driver”, com.docker.network.bridge.host_binding_ipv4",
        lines=(
            "docker network create -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 lab",
            "docker run -d --name web --network {lab} -p 8160:80 IMAGE",
        ),
        asks={Ask(MACHINE, "127.0.0.1", 8160): answers(), Ask(NEIGHBOUR, "{machine}", 8160): NO_CONNECTION},
        mutation={"host_binding_ipv4=127.0.0.1": "host_binding_ipv4=0.0.0.0"},
        otherwise=(
            Expectation(PODMAN, not_testable="Podman does not have this option."),
            Expectation(
                EngineCondition(gateway_mode="routed"),
                not_testable="A routed network publishes no port on the machine.",
            ),
        ),
    ),
    exchange_claim(
        "daemon-ip-option",
        Topic.PUBLISHING,
        statement="With dockerd --ip=127.0.0.1 a bare -p on the default bridge publishes on the machine's loopback "
        "only.",
        source="dockerd(8), --ip",
        daemon="dockerd --ip=127.0.0.1",
        lines=("docker run -d --name web -p 8161:80 IMAGE",),
        asks={Ask(MACHINE, "127.0.0.1", 8161): answers(), Ask(NEIGHBOUR, "{machine}", 8161): NO_CONNECTION},
        needs=frozenset({Need.OWN_HOST}),
        mutation={"--ip=127.0.0.1": "--ip=0.0.0.0"},
        otherwise=(Expectation(PODMAN, not_testable="Podman has no dockerd with this option."),),
    ),
    exchange_claim(
        "proxy-off-no-ipv6",
        Topic.PUBLISHING,
        statement="With userland-proxy=false a port published from an IPv4-only bridge answers at 127.0.0.1, but not "
        "at [::1].",
        source="dockerd(8), --userland-proxy; Docker documentation, “Port publishing and mapping”",
        daemon="dockerd --userland-proxy=false",
        lines=("docker run -d --name web -p 8170:80 IMAGE",),
        asks={Ask(MACHINE, "127.0.0.1", 8170): answers(), Ask(MACHINE, "::1", 8170): NO_CONNECTION},
        needs=frozenset({Need.OWN_HOST, Need.IPV6}),
        mutation={"--userland-proxy=false": "--userland-proxy=true"},
        otherwise=(NOTHING_PUBLISHED, Expectation(PODMAN, not_testable="Podman has no dockerd with this option.")),
    ),
    exchange_claim(
        "loopback-inside-answers-inside",
        Topic.PUBLISHING,
        statement="A program that binds to 127.0.0.1 inside a container answers only there: even the container's own "
        "address refuses.",
        source="ip(7); network_namespaces(7)",
        lines=("docker run -d --name web -e NETMODES_ADDRESS=127.0.0.1 IMAGE",),
        asks={Ask("web", "127.0.0.1", 80): answers(), Ask("web", "web.address", 80): NO_CONNECTION},
        needs=frozenset(),
        mutation={" -e NETMODES_ADDRESS=127.0.0.1": ""},
    ),
    exchange_claim(
        "loopback-inside-from-lan",
        Topic.PUBLISHING,
        statement="A program that binds to 127.0.0.1 inside a bridge container refuses connections from other "
        "machines: their packets arrive at the container's eth0.",
        source="Docker documentation, “Port publishing and mapping”",
        exact="From the machine the same port looks different: docker-proxy accepts, and the response is empty.",
        lines=("docker run -d --name web -p 8149:80 -e NETMODES_ADDRESS=127.0.0.1 IMAGE",),
        asks={Ask(NEIGHBOUR, "{machine}", 8149): NO_CONNECTION},
        mutation={" -e NETMODES_ADDRESS=127.0.0.1": ""},
        otherwise=(
            Expectation(ROOTLESS_PODMAN, not_testable="Without root, rootlessport accepts every connection."),
            Expectation(
                EngineCondition(iptables=False),
                not_testable="With iptables=false docker-proxy accepts every connection.",
            ),
        ),
    ),
    exchange_claim(
        "host-every-address",
        Topic.PUBLISHING,
        statement="A server in host mode that binds to all addresses is reachable at every address of the machine, "
        "also from outside.",
        source="Docker documentation, “Host network driver”",
        exact="Host mode has no equivalent of -p 127.0.0.1:8080:80: the program itself must bind to 127.0.0.1.",
        lines=("docker run -d --network host -e NETMODES_PORT=8101 IMAGE",),
        asks={Ask(MACHINE, "127.0.0.1", 8101): answers(), Ask(MACHINE, "{machine}", 8101): answers()},
        mutation={"-e NETMODES_PORT=8101": "-e NETMODES_PORT=8101 -e NETMODES_ADDRESS=127.0.0.1"},
    ),
    exchange_claim(
        "publish-on-loopback",
        Topic.PUBLISHING,
        statement="-p 127.0.0.1:8110:80 publishes on the machine's loopback only.",
        source="Docker documentation, “Port publishing and mapping”",
        exact="Before 28.0 neighbours on the same network could reach such ports by routing to 127.0.0.1.",
        lines=("docker run -d -p 127.0.0.1:8110:80 IMAGE",),
        asks={Ask(MACHINE, "127.0.0.1", 8110): answers(), Ask(MACHINE, "{machine}", 8110): NO_CONNECTION},
        mutation={"-p 127.0.0.1:8110:80": "-p 8110:80"},
    ),
    Claim(
        id="loopback-publish-routed",
        topic=Topic.PUBLISHING,
        statement="Another machine that routes packets for 127.0.0.1 to this one cannot use a port published on "
        "127.0.0.1.",
        source="Docker documentation, “Port publishing and mapping”; moby/moby#45610",
        exact="Packets are translated (DNAT) before the kernel refuses loopback addresses on other interfaces.",
        observe=observe_exchanges((ON_LOOPBACK,), Ask(NEIGHBOUR, "127.0.0.1", 8196, routed=True)),
        judge=judge_exchanges(NO_CONNECTION),
        lines=(
            ON_LOOPBACK,
            "sysctl -w net.ipv4.conf.eth0.route_localnet=1  # on another machine",
            "ip route add 127.0.0.1/32 via {machine}  # on another machine",
            "curl http://127.0.0.1:8196/  # on another machine",
        ),
        needs=frozenset({Need.PRIVATE}),
        mutation={"-p 127.0.0.1:8196:80": "-p 8196:80"},
        otherwise=(
            Expectation(
                ROOTLESS_PODMAN,
                statement="Another machine that routes packets for 127.0.0.1 to this one cannot use a port published "
                "on 127.0.0.1: rootlessport listens there, and no rule translates it.",
                judge=judge_exchanges(NO_CONNECTION),
            ),
            Expectation(
                PODMAN,
                statement="Another machine that routes packets for 127.0.0.1 to this one reaches a port published on "
                "127.0.0.1: netavark translates (DNAT) the packets before the kernel would refuse them.",
                judge=judge_exchanges(answers()),
                mutation={"-p 127.0.0.1:8196:80": "-p 127.0.0.2:8196:80"},
            ),
            Expectation(
                EngineCondition(before=(28, 0)),
                statement="Another machine that routes packets for 127.0.0.1 to this one reaches a port published on "
                "127.0.0.1: the packets are translated (DNAT) before the kernel would refuse them.",
                judge=judge_exchanges(answers()),
                exact="Fixed in 28.0 by a rule in the raw table.",
                mutation={"-p 127.0.0.1:8196:80": "-p 127.0.0.2:8196:80"},
            ),
        ),
    ),
)
