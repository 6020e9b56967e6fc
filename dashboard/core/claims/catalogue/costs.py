"""Round trips over two paths, compared."""

from typing import Unpack

from dashboard.core.claims.constructors import Details
from dashboard.core.claims.engine_facts import EngineCondition
from dashboard.core.claims.judges import judge_slower
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.observers import observe_timing

HOST = "docker run -d --name one --network host IMAGE sleep 60"
BRIDGE = "docker run -d --name two -p 8130:8080 IMAGE sleep 60"


def _claim(claim_id: str, slow: str, fast: str, statement: str, source: str, **details: Unpack[Details]) -> Claim:
    """A round trip over the path ``slow`` takes longer than one over ``fast``. The mutation exchanges them."""
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
        otherwise=(
            Expectation(
                EngineCondition(iptables=False),
                not_testable="This Engine runs with iptables=false: no request is translated (DNAT).",
            ),
        ),
    ),
    _claim(
        "proxy-costs",
        "two/published-proxy",
        "two/bridge-address",
        "A published port at localhost is slower than the container's own address.",
        "docs/measuring.md; Moby, cmd/docker-proxy",
        otherwise=(
            Expectation(
                EngineCondition(userland_proxy=False),
                not_testable="This Engine runs without docker-proxy (userland-proxy=false).",
            ),
        ),
    ),
)
