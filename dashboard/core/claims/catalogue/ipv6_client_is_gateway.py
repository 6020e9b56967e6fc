"""Over IPv6 the server on an IPv4-only bridge sees the gateway."""

from dashboard.core.claims.engine_facts import FIREWALLD, FIREWALLD_ZONE, PODMAN, EngineCondition
from dashboard.core.claims.exchanges import Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = ("docker run -d --name web -p 8146:80 IMAGE",)

CLAIM = Claim(
    id="ipv6-client-is-gateway",
    topic=Topic.PUBLISHING,
    statement="Over IPv6 a server on an IPv4-only bridge does not see the real client of a published port: "
    "docker-proxy connects from the bridge's gateway.",
    source="Moby, cmd/docker-proxy; Docker documentation, “Port publishing and mapping”",
    observe=observe_exchanges(LINES, Ask(NEIGHBOUR, "2001:db8::2", 8146)),
    judge=judge_exchanges(answers("web.gateway")),
    lines=(*LINES, "curl http://[2001:db8::2]:8146/  # on another machine"),
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
)
