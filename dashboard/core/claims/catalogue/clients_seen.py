"""Claims about the client address that a server sees."""

from dashboard.core.claims.constructors import NO_RULES, ROOTLESSPORT, exchange_claim
from dashboard.core.claims.engine_facts import (
    FIREWALLD,
    FIREWALLD_ZONE,
    PODMAN,
    SLIRP4NETNS,
    SLIRP4NETNS_LOOPBACK,
    EngineCondition,
)
from dashboard.core.claims.exchanges import NEIGHBOUR_ADDRESS, Ask, answers, judge_exchanges
from dashboard.core.claims.model import Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR
from dashboard.core.modes import MACHINE

CLAIMS = (
    exchange_claim(
        "host-client-from-lan",
        Topic.PUBLISHING,
        statement="A server in host mode sees the real address of a client on another machine.",
        source="Docker documentation, “Host network driver”",
        lines=("docker run -d --name web --network host -e NETMODES_PORT=8145 IMAGE",),
        asks={Ask(NEIGHBOUR, "{machine}", 8145): answers(NEIGHBOUR_ADDRESS)},
        mutation={"-e NETMODES_PORT=8145": "-e NETMODES_PORT=8145 -e NETMODES_ADDRESS=127.0.0.1"},
        otherwise=(Expectation(FIREWALLD, not_testable=FIREWALLD_ZONE),),
    ),
    exchange_claim(
        "host-ipv6-client",
        Topic.PUBLISHING,
        statement="A server in host mode answers on the machine's IPv6 addresses and sees the client's own IPv6 "
        "address.",
        source="Docker documentation, “Host network driver”; ipv6(7)",
        lines=("docker run -d --name web --network host -e NETMODES_PORT=8147 IMAGE",),
        asks={Ask(NEIGHBOUR, "2001:db8::2", 8147): answers("2001:db8::10")},
        needs=frozenset({Need.PRIVATE, Need.IPV6}),
        mutation={"--network host -e NETMODES_PORT=8147": "-p 8147:80"},
        otherwise=(Expectation(FIREWALLD, not_testable=FIREWALLD_ZONE),),
    ),
    exchange_claim(
        "published-client-from-lan",
        Topic.PUBLISHING,
        statement="A server in bridge mode sees the real address of a client on another machine: DNAT changes the "
        "destination only.",
        source="Docker documentation, “Port publishing and mapping”; iptables-extensions(8), DNAT",
        exact="For requests that docker-proxy serves, it sees the gateway instead: requests from the machine to "
        "127.0.0.1, requests over IPv6 to an IPv4-only bridge, and all requests on Docker Desktop and in rootless "
        "mode.",
        lines=("docker run -d --name web -p 8144:80 IMAGE",),
        asks={Ask(NEIGHBOUR, "{machine}", 8144): answers(NEIGHBOUR_ADDRESS)},
        mutation={"-p 8144:80": "-p 127.0.0.1:8144:80"},
        otherwise=(
            ROOTLESSPORT,
            Expectation(
                EngineCondition(iptables=False),
                statement="With iptables=false every request goes through docker-proxy: the server sees the gateway of "
                "its network as its client.",
                judge=judge_exchanges(answers("web.gateway")),
            ),
        ),
    ),
    exchange_claim(
        "ipv6-client-is-gateway",
        Topic.PUBLISHING,
        statement="Over IPv6 a server on an IPv4-only bridge does not see the real client of a published port: "
        "docker-proxy connects from the bridge's gateway.",
        source="Moby, cmd/docker-proxy; Docker documentation, “Port publishing and mapping”",
        lines=("docker run -d --name web -p 8146:80 IMAGE",),
        asks={Ask(NEIGHBOUR, "2001:db8::2", 8146): answers("web.gateway")},
        needs=frozenset({Need.PRIVATE, Need.IPV6}),
        mutation={"-p 8146:80": "--network host -e NETMODES_PORT=8146"},
        otherwise=(
            Expectation(FIREWALLD, not_testable=FIREWALLD_ZONE),
            Expectation(
                EngineCondition(bridge_ipv6=True),
                statement="Over IPv6 a server on a bridge with IPv6 sees the real client of a published port.",
                judge=judge_exchanges(answers("2001:db8::10")),
                mutation={"-p 8146:80": "-p 127.0.0.1:8146:80"},
            ),
            Expectation(EngineCondition(userland_proxy=False), not_testable="This Engine runs without docker-proxy."),
            Expectation(PODMAN, not_testable="Podman has no docker-proxy."),
        ),
    ),
    exchange_claim(
        "machine-own-address-client",
        Topic.PUBLISHING,
        statement="The machine reaches a published port at its own address, and the server sees that address as the "
        "client's.",
        source="iptables-extensions(8), DNAT; Moby, nat OUTPUT rule",
        lines=("docker run -d --name web -p 8163:80 IMAGE",),
        asks={Ask(MACHINE, "{machine}", 8163): answers("192.0.2.2")},
        mutation={"-p 8163:80": "-p 127.0.0.1:8163:80"},
        otherwise=(
            ROOTLESSPORT,
            Expectation(SLIRP4NETNS, not_testable=SLIRP4NETNS_LOOPBACK),
            Expectation(
                EngineCondition(rootless_network="pasta"),
                statement="RootlessKit's namespace reaches a published port at its own address, and the server sees "
                "that address as the client's.",
                judge=judge_exchanges(answers("10.0.2.100")),
            ),
            Expectation(
                EngineCondition(iptables=False), not_testable="With iptables=false docker-proxy serves every request."
            ),
            Expectation(
                EngineCondition(userland_proxy=False),
                statement="Without docker-proxy the Engine masquerades the machine's own requests to containers: the "
                "server sees the gateway as the client.",
                judge=judge_exchanges(answers("web.gateway")),
            ),
        ),
    ),
    exchange_claim(
        "masquerade-on-the-lan",
        Topic.BRIDGE,
        statement="A server on another machine sees the machine's address as the client of a bridge container.",
        source="Docker documentation, “Port publishing and mapping”; iptables-extensions(8), MASQUERADE",
        lines=(
            "python3 -m http.server --bind 192.0.2.10 8148  # on another machine",
            "docker network create lab",
            "docker run -d --name client --network {lab} IMAGE sleep 60",
        ),
        asks={Ask("client", NEIGHBOUR_ADDRESS, 8148): answers("192.0.2.2")},
        mutation={
            "docker network create lab": "docker network create -o "
            "com.docker.network.bridge.enable_ip_masquerade=false lab"
        },
        otherwise=(
            NO_RULES,
            Expectation(
                EngineCondition(gateway_mode="routed"),
                not_testable="A routed network keeps the container's address, to which the LAN has no route.",
            ),
        ),
    ),
    exchange_claim(
        "host-client-address",
        Topic.PUBLISHING,
        statement="In host mode the server sees the real client: 127.0.0.1 for a request from the machine itself.",
        source="Docker documentation, “Host network driver”: no NAT and no proxy",
        lines=("docker run -d --network host -e NETMODES_PORT=8107 IMAGE",),
        asks={Ask(MACHINE, "127.0.0.1", 8107): answers("127.0.0.1")},
        mutation={"--network host -e NETMODES_PORT=8107": "-p 8107:80"},
    ),
    exchange_claim(
        "client-between-containers",
        Topic.BRIDGE,
        statement="Requests between containers on one bridge network are not translated: the server sees the client "
        "container's own address.",
        source="Docker documentation, “Bridge network driver”",
        lines=(
            "docker network create lab",
            "docker run -d --name web --network {lab} IMAGE",
            "docker run -d --name client --network {lab} IMAGE sleep 60",
        ),
        asks={Ask("client", "web.address", 80): answers("client.address")},
        needs=frozenset(),
        mutation={"--name client --network {lab}": "--name client --network none"},
    ),
)
