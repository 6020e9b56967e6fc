"""docker-proxy costs more than everything else on the path."""

from dashboard.core.claims.engine_facts import EngineCondition
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if, not_testable
from dashboard.core.claims.testbed import Testbed, Timing

HOST = "docker run -d --name one --network host IMAGE sleep 60"
BRIDGE = "docker run -d --name two -p 8130:8080 IMAGE sleep 60"
PROXY = "two/published-proxy against two/published-dnat"
DNAT = "two/published-dnat against one/loopback"

Timings = tuple[Timing, Timing]


async def observe(testbed: Testbed) -> Timings:
    """The cost of docker-proxy, and of everything else."""
    return await testbed.measure(HOST, BRIDGE, PROXY), await testbed.measure(HOST, BRIDGE, DNAT)


def judge(timings: Timings) -> Judgement:
    """Holds if the lower bound of docker-proxy exceeds the upper bound of the rest."""
    proxy, rest = timings
    evidence = (proxy.summary, rest.summary)
    if proxy.ci95_us is None or rest.ci95_us is None:
        return not_testable("There are too few blocks.", *evidence)
    return holds_if(proxy.ci95_us[0] > rest.ci95_us[1], "docker-proxy does not cost the most.", *evidence)


CLAIM = Claim(
    id="proxy-costs-most",
    topic=Topic.PERFORMANCE,
    statement="“Bridge mode is slow” is mostly docker-proxy: at 127.0.0.1 it adds more to a published port than bridge,"
    " veth and DNAT together.",
    source="docs/measuring.md; Moby, cmd/docker-proxy",
    exact="Requests from other machines do not go through docker-proxy. Measuring curl localhost measures the "
    "exception.",
    observe=observe,
    judge=judge,
    lines=(HOST, BRIDGE, f"# {PROXY}", f"# {DNAT}"),
    needs=frozenset({Need.MEASURE}),
    otherwise=(
        Expectation(
            EngineCondition(userland_proxy=False),
            not_testable="This Engine runs without docker-proxy (userland-proxy=false).",
        ),
        Expectation(
            EngineCondition(iptables=False),
            not_testable="This Engine runs with iptables=false: no request is translated (DNAT).",
        ),
    ),
    mutation={"two/published-proxy against two/published-dnat": "two/published-dnat against two/published-proxy"},
)
