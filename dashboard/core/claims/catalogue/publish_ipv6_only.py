"""-p [::1]: publishes on IPv6 only."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.modes import MACHINE

LINES = ("docker run -d --name web -p [::1]:8165:80 IMAGE",)

CLAIM = Claim(
    id="publish-ipv6-only",
    topic=Topic.PUBLISHING,
    statement="-p [::1]:8165:80 publishes on the IPv6 loopback only: 127.0.0.1 refuses.",
    source="Docker documentation, “Port publishing and mapping”",
    observe=observe_exchanges(LINES, Ask(MACHINE, "::1", 8165), Ask(MACHINE, "127.0.0.1", 8165)),
    judge=judge_exchanges(answers(), NO_CONNECTION),
    lines=(*LINES, "curl http://[::1]:8165/", "curl http://127.0.0.1:8165/"),
    needs=frozenset({Need.PRIVATE, Need.IPV6}),
    mutation={"-p [::1]:8165:80": "-p 8165:80"},
    otherwise=(
        Expectation(
            EngineCondition(userland_proxy=False), not_testable="Without docker-proxy nothing answers at [::1]."
        ),
        Expectation(PODMAN, not_testable="Podman has no docker-proxy."),
    ),
)
