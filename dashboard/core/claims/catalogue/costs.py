"""Claims that compare the round-trip times of two paths."""

from typing import Unpack

from dashboard.core.claims.constructors import Details
from dashboard.core.claims.engine_facts import EngineCondition
from dashboard.core.claims.judges import judge_slower
from dashboard.core.claims.model import Claim, Expectation, Judgement, Need, Topic, holds_if, not_testable
from dashboard.core.claims.observers import observe_timing
from dashboard.core.claims.testbed import Testbed, Timing

HOST = "docker run -d --name one --network host IMAGE sleep 60"
BRIDGE = "docker run -d --name two -p 8130:8080 IMAGE sleep 60"
PROXY = "two/published-proxy against two/published-dnat"
DNAT = "two/published-dnat against one/loopback"
NO_DNAT = Expectation(
    EngineCondition(iptables=False),
    not_testable="This Engine runs with iptables=false: no request is translated (DNAT).",
)
NO_PROXY = Expectation(
    EngineCondition(userland_proxy=False), not_testable="This Engine runs without docker-proxy (userland-proxy=false)."
)


async def observe_proxy_and_rest(testbed: Testbed) -> tuple[Timing, Timing]:
    """Measures what docker-proxy adds to a round trip, then what the rest of the path adds; returns both."""
    return await testbed.measure(HOST, BRIDGE, PROXY), await testbed.measure(HOST, BRIDGE, DNAT)


def judge_most(timings: tuple[Timing, Timing]) -> Judgement:
    """The claim holds if docker-proxy adds more than the rest of the path: the confidence interval of what it adds lies
    above that of the rest."""
    proxy, rest = timings
    evidence = (proxy.summary, rest.summary)
    if proxy.ci95_us is None or rest.ci95_us is None:
        return not_testable("The measurement has too few blocks.", *evidence)
    return holds_if(proxy.ci95_us[0] > rest.ci95_us[1], "docker-proxy does not cost the most.", *evidence)


def _claim(claim_id: str, slow: str, fast: str, statement: str, source: str, **details: Unpack[Details]) -> Claim:
    """Builds the claim that a round trip over the path ``slow`` takes longer than one over the path ``fast``. Its
    mutation (``Claim.mutation``) swaps the two paths."""
    question = f"{slow} against {fast}"
    return Claim(
        id=claim_id,
        topic=Topic.PERFORMANCE,
        statement=statement,
        source=source,
        observe=observe_timing(HOST, BRIDGE, question),
        judge=judge_slower,
        lines=(HOST, BRIDGE, f"# {question}"),
        needs=frozenset({Need.MEASURE}),
        mutation={question: f"{fast} against {slow}"},
        **details,
    )


CLAIMS = (
    _claim(
        "bridge-costs",
        "two/bridge-address",
        "one/loopback",
        "Host mode is faster than bridge mode: a round trip to a bridge container's own address takes longer than one "
        "over loopback.",
        "Docker documentation, “Host network driver”: performance; docs/measuring.md",
        exact="Often by only a microsecond or two. The cost depends on the path: see the claims about DNAT and "
        "docker-proxy.",
    ),
    _claim(
        "dnat-costs",
        "two/published-dnat",
        "one/loopback",
        "Host mode is faster than a published port at the machine's own address, where the kernel translates each "
        "packet (DNAT).",
        "Docker documentation, “Host network driver”: no NAT; docs/measuring.md",
        exact="Typically by a few microseconds; it is not “twice as slow”.",
        otherwise=(NO_DNAT,),
    ),
    _claim(
        "proxy-costs",
        "two/published-proxy",
        "two/bridge-address",
        "A published port at localhost is slower than the container's own address.",
        "docs/measuring.md; Moby, cmd/docker-proxy",
        otherwise=(NO_PROXY,),
    ),
    Claim(
        id="proxy-costs-most",
        topic=Topic.PERFORMANCE,
        statement="“Bridge mode is slow” is mostly docker-proxy: at 127.0.0.1 it adds more to a published port than "
        "bridge, veth and DNAT together.",
        source="docs/measuring.md; Moby, cmd/docker-proxy",
        exact="Requests from other machines do not go through docker-proxy, so a measurement at localhost does not "
        "apply to them.",
        observe=observe_proxy_and_rest,
        judge=judge_most,
        lines=(HOST, BRIDGE, f"# {PROXY}", f"# {DNAT}"),
        needs=frozenset({Need.MEASURE}),
        mutation={PROXY: "two/published-dnat against two/published-proxy"},
        otherwise=(NO_PROXY, NO_DNAT),
    ),
)
