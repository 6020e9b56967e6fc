"""A rule in INPUT blocks requests that docker-proxy accepts."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = (
    "docker run -d --name web -p 8141:80 IMAGE",
    "ip6tables -I INPUT -p tcp --dport 8141 -m comment --comment nm-8141 -j DROP",
)

CLAIM = Claim(
    id="input-stops-proxy",
    topic=Topic.PUBLISHING,
    statement="Over IPv6, docker-proxy serves a port published from an IPv4-only bridge. It is a program on the "
    "machine, so a rule in INPUT blocks the requests.",
    source="Moby, cmd/docker-proxy; ip6tables(8)",
    observe=observe_exchanges(LINES, Ask(NEIGHBOUR, "2001:db8::2", 8141)),
    judge=judge_exchanges(NO_CONNECTION, matched=True),
    lines=(*LINES, "curl http://[2001:db8::2]:8141/  # on another machine"),
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
)
