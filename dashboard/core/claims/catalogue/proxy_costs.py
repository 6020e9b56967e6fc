"""A round trip through docker-proxy takes longer than one to the container's own address."""

from dashboard.core.claims.engine_facts import EngineCondition
from dashboard.core.claims.judges import judge_slower
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.observers import observe_timing

HOST = "docker run -d --name one --network host IMAGE sleep 60"
BRIDGE = "docker run -d --name two -p 8130:8080 IMAGE sleep 60"
QUESTION = "two/published-proxy against two/bridge-address"

CLAIM = Claim(
    id="proxy-costs",
    topic=Topic.PERFORMANCE,
    statement="A published port at localhost is slower than the container's own address.",
    source="docs/measuring.md; Moby, cmd/docker-proxy",
    observe=observe_timing(HOST, BRIDGE, QUESTION),
    judge=judge_slower,
    lines=(HOST, BRIDGE, f"# {QUESTION}"),
    needs=frozenset({Need.MEASURE}),
    otherwise=(
        Expectation(
            EngineCondition(userland_proxy=False),
            not_testable="This Engine runs without docker-proxy (userland-proxy=false).",
        ),
    ),
    mutation={"two/published-proxy against two/bridge-address": "two/bridge-address against two/published-proxy"},
)
