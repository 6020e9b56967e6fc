"""Claims about rules in the machine's chains INPUT and OUTPUT, and which requests they block."""

from dashboard.core.claims.constructors import NO_RULES, exchange_claim
from dashboard.core.claims.engine_facts import PODMAN, ROOTLESS_PODMAN, ROOTLESS_PODMAN_BRIDGES, EngineCondition
from dashboard.core.claims.exchanges import NEIGHBOUR_ADDRESS, NO_CONNECTION, Ask, answers
from dashboard.core.claims.model import Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

CLAIMS = (
    exchange_claim(
        "input-not-published",
        Topic.PUBLISHING,
        statement="A rule in INPUT, such as ufw and most firewalls add, does not block a published port: other "
        "machines reach it, and the rule matches no packet.",
        source="Docker documentation, “Docker with iptables”; iptables(8)",
        exact="The packets are translated (DNAT) before the kernel decides between INPUT and FORWARD. Put such rules "
        "into DOCKER-USER.",
        lines=(
            "docker run -d --name web -p 8130:80 IMAGE",
            "iptables -I INPUT -p tcp --dport 8130 -m comment --comment nm-8130 -j DROP",
        ),
        asks={Ask(NEIGHBOUR, "{machine}", 8130): answers()},
        matched=False,
        mutation={"-p 8130:80": "--network host -e NETMODES_PORT=8130"},
        otherwise=(
            Expectation(
                ROOTLESS_PODMAN, not_testable="Without root, rootlessport listens on the machine, so INPUT applies."
            ),
            NO_RULES,
        ),
    ),
    exchange_claim(
        "input-stops-proxy",
        Topic.PUBLISHING,
        statement="Over IPv6, docker-proxy serves a port published from an IPv4-only bridge. It is a program on the "
        "machine, so a rule in INPUT blocks the requests.",
        source="Moby, cmd/docker-proxy; ip6tables(8)",
        lines=(
            "docker run -d --name web -p 8141:80 IMAGE",
            "ip6tables -I INPUT -p tcp --dport 8141 -m comment --comment nm-8141 -j DROP",
        ),
        asks={Ask(NEIGHBOUR, "2001:db8::2", 8141): NO_CONNECTION},
        matched=True,
        needs=frozenset({Need.PRIVATE, Need.IPV6}),
        mutation={"-I INPUT": "-I FORWARD"},
        otherwise=(
            Expectation(
                EngineCondition(bridge_ipv6=True),
                not_testable="This default bridge has IPv6: the kernel translates the requests.",
            ),
            Expectation(EngineCondition(userland_proxy=False), not_testable="This Engine runs without docker-proxy."),
            Expectation(PODMAN, not_testable="Podman has no docker-proxy."),
        ),
    ),
    exchange_claim(
        "input-stops-containers",
        Topic.BRIDGE,
        statement="A rule in INPUT also applies to containers that use a service on their own machine: a firewall "
        "that denies by default makes host.docker.internal time out.",
        source="iptables(8); Docker documentation, “Packet filtering and firewalls”",
        exact="Allow the bridges: iptables -I INPUT -i docker0 -j ACCEPT, or ufw allow in on docker0.",
        lines=(
            "python3 -m http.server --bind 0.0.0.0 8142",
            "docker run -d --name client IMAGE sleep 60",
            "iptables -I INPUT -p tcp --dport 8142 -m comment --comment nm-8142 -j DROP",
        ),
        asks={Ask("client", "client.gateway", 8142): NO_CONNECTION},
        matched=True,
        mutation={"-I INPUT": "-I FORWARD"},
        otherwise=(Expectation(ROOTLESS_PODMAN, not_testable=ROOTLESS_PODMAN_BRIDGES),),
    ),
    exchange_claim(
        "input-stops-host-mode",
        Topic.INTERFERENCE,
        statement="A rule in INPUT blocks a server in host mode: its packets are for the machine itself.",
        source="Docker documentation, “Packet filtering and firewalls”; iptables(8)",
        exact="A firewall that denies by default therefore protects host mode, but not published ports.",
        lines=(
            "docker run -d --name web --network host -e NETMODES_PORT=8137 IMAGE",
            "iptables -I INPUT -p tcp --dport 8137 -m comment --comment nm-8137 -j DROP",
        ),
        asks={Ask(NEIGHBOUR, "{machine}", 8137): NO_CONNECTION},
        matched=True,
        mutation={"--network host -e NETMODES_PORT=8137": "-p 8137:80"},
    ),
    exchange_claim(
        "output-not-bridge",
        Topic.INTERFERENCE,
        statement="A rule in OUTPUT does not block requests from a bridge container to other machines: they are "
        "forwarded.",
        source="iptables(8); Docker documentation, “Packet filtering and firewalls”",
        exact="A firewall that limits outgoing connections in OUTPUT does not limit containers.",
        lines=(
            "python3 -m http.server --bind 192.0.2.10 8140  # on another machine",
            "docker run -d --name client --network bridge IMAGE sleep 60",
            "iptables -I OUTPUT -p tcp --dport 8140 -m comment --comment nm-8140 -j DROP",
        ),
        asks={Ask("client", NEIGHBOUR_ADDRESS, 8140): answers()},
        matched=False,
        mutation={"--network bridge": "--network host"},
        otherwise=(
            Expectation(
                ROOTLESS_PODMAN,
                not_testable="Without root, pasta sends a container's requests from the machine, so OUTPUT applies.",
            ),
            Expectation(
                EngineCondition(iptables=False),
                not_testable="With iptables=false nothing masquerades, so no response returns.",
            ),
        ),
    ),
    exchange_claim(
        "output-stops-host-mode",
        Topic.INTERFERENCE,
        statement="A rule in OUTPUT blocks requests from a container in host mode to other machines, as it does for "
        "every program on the machine.",
        source="iptables(8); network_namespaces(7)",
        lines=(
            "python3 -m http.server --bind 192.0.2.10 8139  # on another machine",
            "docker run -d --name client --network host IMAGE sleep 60",
            "iptables -I OUTPUT -p tcp --dport 8139 -m comment --comment nm-8139 -j DROP",
        ),
        asks={Ask("client", NEIGHBOUR_ADDRESS, 8139): NO_CONNECTION},
        matched=True,
        mutation={"--network host": "--network bridge"},
    ),
)
