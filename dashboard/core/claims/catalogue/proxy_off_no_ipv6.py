"""Without docker-proxy an IPv4-only container is not published on IPv6."""

from dashboard.core.claims.engine_facts import PODMAN, EngineCondition
from dashboard.core.claims.exchanges import NO_CONNECTION, Ask, answers, judge_exchanges, observe_exchanges_on
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.modes import MACHINE

DAEMON = "dockerd --userland-proxy=false"
LINES = ("docker run -d --name web -p 8170:80 IMAGE",)

CLAIM = Claim(
    id="proxy-off-no-ipv6",
    topic=Topic.PUBLISHING,
    statement="With userland-proxy=false a port published from an IPv4-only bridge answers at 127.0.0.1, but not at "
    "[::1].",
    source="dockerd(8), --userland-proxy; Docker documentation, “Port publishing and mapping”",
    observe=observe_exchanges_on(DAEMON, LINES, Ask(MACHINE, "127.0.0.1", 8170), Ask(MACHINE, "::1", 8170)),
    judge=judge_exchanges(answers(), NO_CONNECTION),
    lines=(DAEMON, *LINES, "curl http://127.0.0.1:8170/", "curl http://[::1]:8170/"),
    needs=frozenset({Need.OWN_HOST, Need.IPV6}),
    mutation={"--userland-proxy=false": "--userland-proxy=true"},
    otherwise=(
        Expectation(
            EngineCondition(iptables=False),
            not_testable="With iptables=false and no docker-proxy nothing is published.",
        ),
        Expectation(PODMAN, not_testable="Podman has no dockerd with this option."),
    ),
)
