"""-p 0.0.0.0: publishes on IPv4 only."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.modes import MACHINE

LINES = ("docker run -d --name web -p 0.0.0.0:8164:80 IMAGE",)

CLAIM = Claim(
    id="publish-ipv4-only",
    topic=Topic.PUBLISHING,
    statement="-p 0.0.0.0:8164:80 publishes on IPv4 addresses only: [::1] refuses.",
    source="Docker documentation, “Bridge network driver”, default host binding address",
    observe=observe_exchanges(LINES, Ask(MACHINE, "127.0.0.1", 8164), Ask(MACHINE, "::1", 8164)),
    judge=judge_exchanges(answers(), NO_CONNECTION),
    lines=(*LINES, "curl http://127.0.0.1:8164/", "curl http://[::1]:8164/"),
    needs=frozenset({Need.PRIVATE, Need.IPV6}),
    mutation={"-p 0.0.0.0:8164:80": "-p 8164:80"},
    otherwise=(
        Expectation(
            EngineCondition(userland_proxy=False),
            not_testable="Without docker-proxy nothing answers at [::1] in any case.",
        ),
        Expectation(PODMAN, not_testable="Podman publishes on IPv4 addresses only in any case."),
    ),
)
