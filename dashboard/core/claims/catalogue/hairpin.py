"""Claims about requests from containers to published ports at the machine's address."""

from dashboard.core.claims.constructors import NOTHING_PUBLISHED, exchange_claim
from dashboard.core.claims.engine_facts import PODMAN, SLIRP4NETNS, SLIRP4NETNS_LOOPBACK, EngineCondition
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers, judge_exchanges
from dashboard.core.claims.model import Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

CLAIMS = (
    exchange_claim(
        "hairpin-same-network",
        Topic.PUBLISHING,
        statement="A container reaches the published port of another container on the same bridge at the machine's "
        "address; the server sees the gateway instead of the client.",
        source="Moby, cmd/docker-proxy and nat rules of a bridge",
        exact="Requests to the container's own address, or to its name on a user-defined network, are not translated.",
        lines=(
            "docker run -d --name web -p 8167:80 IMAGE",
            "docker run -d --name client IMAGE sleep 60",
        ),
        asks={Ask("client", "{machine}", 8167): answers("web.gateway")},
        mutation={"-p 8167:80": "-p 127.0.0.1:8167:80"},
        otherwise=(
            Expectation(SLIRP4NETNS, not_testable=SLIRP4NETNS_LOOPBACK),
            Expectation(PODMAN, not_testable="Podman has no docker-proxy."),
            Expectation(
                EngineCondition(userland_proxy=False),
                statement="Without docker-proxy the kernel translates (DNAT) the request and does not masquerade it: "
                "the server sees the client.",
                judge=judge_exchanges(answers("client.address")),
            ),
        ),
    ),
    exchange_claim(
        "hairpin-other-network",
        Topic.PUBLISHING,
        statement="A container on another bridge network cannot reach a container's own address, but reaches its "
        "published port at the machine's address.",
        source="Docker documentation, “Port publishing and mapping”",
        lines=(
            "docker network create one",
            "docker network create two",
            "docker run -d --name web --network {one} -p 8168:80 IMAGE",
            "docker run -d --name client --network {two} IMAGE sleep 60",
        ),
        asks={Ask("client", "web.address", 80): NO_CONNECTION, Ask("client", "{machine}", 8168): answers()},
        needs=frozenset({Need.ALONE}),
        mutation={"--network {two}": "--network {one}"},
        otherwise=(
            Expectation(SLIRP4NETNS, not_testable=SLIRP4NETNS_LOOPBACK),
            Expectation(
                PODMAN,
                statement="A container on another bridge network reaches neither a container's own address nor its "
                "published port at the machine's address: netavark translates the request, and its rules that isolate "
                "networks drop it.",
                judge=judge_exchanges(NO_CONNECTION, NO_CONNECTION),
            ),
            Expectation(EngineCondition(iptables=False), not_testable="With iptables=false no rule isolates networks."),
            Expectation(
                EngineCondition(userland_proxy=False),
                statement="Without docker-proxy a container on another bridge network reaches neither a container's "
                "own address nor its published port at the machine's address: the kernel translates the request, and "
                "the rules that isolate networks drop it.",
                judge=judge_exchanges(NO_CONNECTION, NO_CONNECTION),
            ),
            Expectation(
                EngineCondition(gateway_mode="routed"),
                not_testable="Containers on routed networks reach each other's published ports directly, and no port "
                "is published on the machine.",
            ),
        ),
    ),
    exchange_claim(
        "hairpin-own-port",
        Topic.PUBLISHING,
        statement="A container reaches its own published port at the machine's address through docker-proxy, so the "
        "server sees the gateway.",
        source="Moby, cmd/docker-proxy and nat rules of a bridge",
        lines=("docker run -d --name web -p 8166:80 IMAGE",),
        asks={Ask("web", "{machine}", 8166): answers("web.gateway")},
        mutation={"-p 8166:80": "-p 127.0.0.1:8166:80"},
        otherwise=(
            Expectation(SLIRP4NETNS, not_testable=SLIRP4NETNS_LOOPBACK),
            Expectation(
                EngineCondition(userland_proxy=False),
                statement="Without docker-proxy a container reaches its own published port at the machine's address "
                "too: the kernel translates the request, and the server sees the gateway.",
                judge=judge_exchanges(answers("web.gateway")),
            ),
            Expectation(PODMAN, not_testable="Podman has no docker-proxy."),
        ),
    ),
    exchange_claim(
        "hairpin-needs-input",
        Topic.PUBLISHING,
        statement="A container reaches a port published on its own machine through docker-proxy, so a rule in INPUT "
        "blocks it, although other machines reach the port.",
        source="Moby, cmd/docker-proxy; iptables(8)",
        lines=(
            "docker run -d --name web -p 8143:80 IMAGE",
            "docker run -d --name client IMAGE sleep 60",
            "iptables -I INPUT -p tcp --dport 8143 -m comment --comment nm-8143 -j DROP",
        ),
        asks={Ask(NEIGHBOUR, "{machine}", 8143): answers(), Ask("client", "{machine}", 8143): NO_CONNECTION},
        matched=True,
        mutation={"-I INPUT": "-I OUTPUT"},
        otherwise=(
            Expectation(
                EngineCondition(userland_proxy=False),
                not_testable="Without docker-proxy the kernel translates these requests too.",
            ),
            Expectation(
                EngineCondition(iptables=False), not_testable="With iptables=false docker-proxy serves every request."
            ),
            Expectation(PODMAN, not_testable="Podman has no docker-proxy."),
        ),
    ),
    exchange_claim(
        "proxy-off-hairpin",
        Topic.PUBLISHING,
        statement="With userland-proxy=false a container reaches its own published port as well: the kernel translates "
        "the request, and the server sees the gateway.",
        source="dockerd(8), --userland-proxy; iptables-extensions(8), MASQUERADE",
        daemon="dockerd --userland-proxy=false",
        lines=("docker run -d --name web -p 8169:80 IMAGE",),
        asks={Ask("web", "{machine}", 8169): answers("web.gateway")},
        needs=frozenset({Need.OWN_HOST}),
        mutation={"-p 8169:80": "-p 127.0.0.1:8169:80"},
        otherwise=(
            Expectation(SLIRP4NETNS, not_testable=SLIRP4NETNS_LOOPBACK),
            Expectation(
                EngineCondition(icc=False), not_testable="With icc=false a rule drops packets back to the bridge."
            ),
            NOTHING_PUBLISHED,
            Expectation(PODMAN, not_testable="Podman has no dockerd with this option."),
        ),
    ),
)
