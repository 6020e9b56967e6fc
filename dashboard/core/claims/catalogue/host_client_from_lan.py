"""A server in host mode sees another machine's address."""

from dashboard.core.claims.engine_facts import FIREWALLD, FIREWALLD_ZONE
from dashboard.core.claims.exchanges import NEIGHBOUR_ADDRESS, Ask, answers, judge_exchanges, observe_exchanges
from dashboard.core.claims.model import Claim, Expectation, Need, Topic
from dashboard.core.claims.testbed import NEIGHBOUR

LINES = ("docker run -d --name web --network host -e NETMODES_PORT=8145 IMAGE",)

CLAIM = Claim(
    id="host-client-from-lan",
    topic=Topic.PUBLISHING,
    statement="A server in host mode sees the real address of a client on another machine.",
    source="Docker documentation, “Host network driver”",
    observe=observe_exchanges(LINES, Ask(NEIGHBOUR, "{machine}", 8145)),
    judge=judge_exchanges(answers(NEIGHBOUR_ADDRESS)),
    lines=(*LINES, "curl http://{machine}:8145/  # on another machine"),
    needs=frozenset({Need.PRIVATE}),
    mutation={"-e NETMODES_PORT=8145": "-e NETMODES_PORT=8145 -e NETMODES_ADDRESS=127.0.0.1"},
    otherwise=(Expectation(FIREWALLD, not_testable=FIREWALLD_ZONE),),
)
