"""docker-proxy costs far more than anything else on the way."""

from __future__ import annotations

from dashboard.core.claims.model import Claim, Judgement, Need, Stage, Timing, Topic, not_testable, proves

HOST = "docker run -d --name one --network host IMAGE sleep 60"
BRIDGE = "docker run -d --name two -p 8130:8080 IMAGE sleep 60"
PROXY = "two/published-proxy against two/published-dnat"
DNAT = "two/published-dnat against one/loopback"

Seen = tuple[Timing, Timing]


async def observe(stage: Stage) -> Seen:
    """What docker-proxy adds, and what everything else adds."""
    return await stage.measure(HOST, BRIDGE, PROXY), await stage.measure(HOST, BRIDGE, DNAT)


def judge(seen: Seen) -> Judgement:
    """Its least is more than the most of the rest."""
    proxy, rest = seen
    evidence = (proxy.said, rest.said)
    if proxy.ci95_us is None or rest.ci95_us is None:
        return not_testable("There are too few blocks.", *evidence)
    return proves(proxy.ci95_us[0] > rest.ci95_us[1], "docker-proxy does not cost the most.", *evidence)


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
    counter={"two/published-proxy against two/published-dnat": "two/published-dnat against two/published-proxy"},
)
