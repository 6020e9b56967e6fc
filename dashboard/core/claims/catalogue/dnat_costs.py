"""A round trip to a published port at the machine's own address takes longer than one over loopback."""

from dashboard.core.claims.engine_facts import EngineCondition
from dashboard.core.claims.judges import judge_slower
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.observers import observe_timing

HOST = "docker run -d --name one --network host IMAGE sleep 60"
BRIDGE = "docker run -d --name two -p 8130:8080 IMAGE sleep 60"
QUESTION = "two/published-dnat against one/loopback"

CLAIM = Claim(
    id="dnat-costs",
    topic=Topic.PERFORMANCE,
    statement="Host mode is faster than a published port at the machine's own address, where the kernel translates each"
    " packet (DNAT).",
    source="Docker documentation, “Host network driver”: no NAT; docs/measuring.md",
    exact="Typically by a few microseconds; it is not “twice as slow”.",
    observe=observe_timing(HOST, BRIDGE, QUESTION),
    judge=judge_slower,
    lines=(HOST, BRIDGE, f"# {QUESTION}"),
    needs=frozenset({Need.MEASURE}),
    otherwise=(
        Expectation(
            EngineCondition(iptables=False),
            not_testable="This Engine runs with iptables=false: no request is translated (DNAT).",
        ),
    ),
    mutation={"two/published-dnat against one/loopback": "one/loopback against two/published-dnat"},
)
