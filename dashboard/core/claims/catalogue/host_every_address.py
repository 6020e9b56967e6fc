"""A server in host mode answers at every address of the machine."""

from dashboard.core.claims.model import Claim, Judgement, Need, Topic, holds_if
from dashboard.core.claims.observers import Responses, observe_machine_addresses

LINE = "docker run -d --network host -e NETMODES_PORT=8101 IMAGE"


def judge(responses: Responses) -> Judgement:
    """Holds if both addresses answer."""
    loopback, outside = responses
    evidence = (
        f"GET http://127.0.0.1:8101/: {loopback.summary}",
        f"GET at the machine's own address: {outside.summary}",
    )
    return holds_if(loopback.status == outside.status == 200, "It does not answer at every address.", *evidence)


CLAIM = Claim(
    id="host-every-address",
    topic=Topic.PUBLISHING,
    statement="A server in host mode that binds to all addresses is reachable at every address of the machine, also "
    "from outside.",
    source="Docker documentation, “Host network driver”",
    exact="Host mode has no equivalent of -p 127.0.0.1:8080:80: the program itself must bind to 127.0.0.1.",
    observe=observe_machine_addresses(LINE, 8101, 8101),
    judge=judge,
    lines=(LINE,),
    needs=frozenset({Need.PRIVATE}),
    mutation={"-e NETMODES_PORT=8101": "-e NETMODES_PORT=8101 -e NETMODES_ADDRESS=127.0.0.1"},
)
