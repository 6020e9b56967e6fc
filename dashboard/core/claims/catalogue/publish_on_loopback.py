"""-p 127.0.0.1:… publishes on the machine's loopback only."""

from dashboard.core.claims.model import Claim, Judgement, Need, Topic, differs, holds_if
from dashboard.core.claims.observers import Responses, observe_machine_addresses

LINE = "docker run -d -p 127.0.0.1:8110:80 IMAGE"


def judge(responses: Responses) -> Judgement:
    """Holds if only loopback answers."""
    loopback, outside = responses
    evidence = (
        f"GET http://127.0.0.1:8110/: {loopback.summary}",
        f"GET at the machine's own address: {outside.summary}",
    )
    if loopback.status != 200:
        return differs("It does not answer at loopback.", *evidence)
    return holds_if(not outside.connected, "It answers at the machine's address too.", *evidence)


CLAIM = Claim(
    id="publish-on-loopback",
    topic=Topic.PUBLISHING,
    statement="-p 127.0.0.1:8110:80 publishes on the machine's loopback only.",
    source="Docker documentation, “Port publishing and mapping”",
    exact="Before 28.0 neighbours on the same network could reach such ports by routing to 127.0.0.1.",
    observe=observe_machine_addresses(LINE, 80, 8110),
    judge=judge,
    lines=(LINE,),
    needs=frozenset({Need.PRIVATE}),
    mutation={"-p 127.0.0.1:8110:80": "-p 8110:80"},
)
